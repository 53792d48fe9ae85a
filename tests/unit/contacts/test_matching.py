"""No name is borne by two contacts, and the newest bearer has it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.contacts.matching import KnownContact, matters, without_doubles

_STORES = tuple(UUID(int=number) for number in (1, 2))
_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _contact(
    contact_id: int = 1, *, minute: int = 0, email: str | None = None, store: UUID = _STORES[0]
) -> KnownContact:
    return KnownContact(store, 3, contact_id, _NOON + timedelta(minutes=minute), email=email)


_CONTACTS = st.lists(
    st.builds(
        _contact,
        st.integers(1, 4),
        minute=st.integers(0, 3),
        email=st.sampled_from((None, "jan@x.example", "Jan@x.example", "piet@x.example")),
        store=st.sampled_from(_STORES),
    ),
    unique_by=lambda contact: contact.key,
)


def test_an_address_that_moved_belongs_to_whoever_was_seen_with_it_last() -> None:
    before, after = _contact(1, email="jan@x.example"), _contact(2, minute=1, email="JAN@x.example")
    settled = without_doubles([after, before])
    assert (settled[before.key].email, settled[after.key].email) == (None, "JAN@x.example")


def test_two_stores_may_know_the_same_address() -> None:
    settled = without_doubles(
        [_contact(1, email="jan@x.example"), _contact(1, email="jan@x.example", store=_STORES[1])]
    )
    assert [one.email for one in settled.values()] == ["jan@x.example"] * 2


@given(contacts=_CONTACTS, chance=st.randoms(use_true_random=False))
def test_who_bears_a_name_does_not_depend_on_the_order_of_arrival(contacts: list[KnownContact], chance: object) -> None:
    shuffled = list(contacts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    settled = without_doubles(contacts)
    assert without_doubles(shuffled) == settled
    borne = [(one.store, one.email.lower()) for one in settled.values() if one.email]
    assert len(borne) == len(set(borne))


def test_an_echo_of_our_own_write_asks_for_nothing() -> None:
    before = KnownContact(
        _STORES[0], 3, 1, _NOON, email="a@x.example", attributes={"order_count": 2}, written=frozenset({"order_count"})
    )
    echo = KnownContact(
        _STORES[0], 3, 1, _NOON, email="a@x.example", attributes={"order_count": 2, "note": "by others"}
    )
    assert not matters(before, echo)


def test_somebody_who_changed_what_we_wrote_asks_for_a_look() -> None:
    before = KnownContact(_STORES[0], 3, 1, _NOON, attributes={"order_count": 2}, written=frozenset({"order_count"}))
    assert matters(before, KnownContact(_STORES[0], 3, 1, _NOON, attributes={"order_count": 9}))
