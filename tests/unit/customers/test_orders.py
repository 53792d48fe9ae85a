"""An order follows from the set of its facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.customers.orders import CANCELLED, PAID, PLACED, REFUNDED, REINSTATED, OrderFact, order
from services.customers.past.shop_line import reader_of

_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _fact(
    kind: str,
    *,
    minute: int = 0,
    amount: int | None = None,
    event: str = "",
    customer: str = "c1",
    is_total: bool = False,
) -> OrderFact:
    at, currency = _NOON + timedelta(minutes=minute), "EUR" if amount else None
    return OrderFact(kind, at, event or f"{kind}{minute}", customer, amount, currency, is_total=is_total)


def _file(read_at: datetime | None = None, /, **cells: str) -> list[OrderFact]:
    """What a line of a file says, as it is kept."""
    line = {"order_id": "o1", "customer_id": "c1", "currency": "EUR", "amount": "100.00"}
    line |= {"placed_at": f"{_NOON:%FT%TZ}"} | cells
    facts = []
    for event in reader_of([*line])(line, _NOON):
        data = {name: event["data"].get(name) for name in ("customer_id", "amount_minor", "currency", "order_number")}
        row = data | {"kind": event["type"], "event_id": event["id"], "source": event["source"]}
        row |= {"happened_at": datetime.fromisoformat(event["time"]), "order_url": None, "categories": None}
        row |= {"read_at": read_at}
        facts.append(OrderFact.of(row))
    return facts


_FACTS = st.lists(
    st.builds(
        _fact,
        st.sampled_from((PLACED, PAID, REFUNDED, CANCELLED, REINSTATED)),
        minute=st.integers(0, 3),
        amount=st.none() | st.integers(1, 9_999),
        event=st.uuids().map(str),
        customer=st.sampled_from(("c1", "c2")),
        is_total=st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@given(facts=_FACTS, chance=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_order(facts: list[OrderFact], chance: object) -> None:
    shuffled = list(facts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order(shuffled) == order(facts)


def test_of_number_address_and_categories_the_newest_word_counts() -> None:
    placed = replace(_fact(PLACED, amount=100), order_number="1", order_url="https://x.example/1", categories=("beds",))
    paid = replace(_fact(PAID, minute=5), order_number="1-b", categories=())
    seen = order([paid, placed])
    assert (seen.order_number, seen.order_url, seen.categories) == ("1-b", "https://x.example/1", ())


def test_an_order_that_comes_back_is_cancelled_no_longer_until_it_is_again() -> None:
    placed, cancelled, back = _fact(PLACED, amount=100), _fact(CANCELLED, minute=1), _fact(REINSTATED, minute=5)
    again, twice = _fact(CANCELLED, minute=8), _fact(CANCELLED, minute=9)
    assert order([placed, cancelled, _fact(PAID, minute=3)]).cancelled_at == cancelled.at
    assert order([back, placed, cancelled]).cancelled_at is None
    assert order([twice, back, placed, again, cancelled]).cancelled_at == again.at


def test_refunds_add_up_and_never_exceed_the_price() -> None:
    facts = [
        _fact(PLACED, amount=10_000),
        _fact(REFUNDED, minute=5, amount=4_000),
        _fact(REFUNDED, minute=6, amount=3_000),
    ]
    assert order(facts).refunded_minor == 7_000
    assert order([*facts, _fact(REFUNDED, minute=7, amount=9_000)]).refunded_minor == 10_000


def test_a_refund_without_an_amount_returns_everything() -> None:
    assert order([_fact(PLACED, amount=10_000), _fact(REFUNDED, minute=5)]).refunded_minor == 10_000


def test_an_order_is_refunded_when_something_came_back_and_not_by_a_refund_of_nothing() -> None:
    placed, nothing = _fact(PLACED, amount=10_000), replace(_fact(REFUNDED, minute=5), amount_minor=0, currency="EUR")
    dollars = replace(_fact(REFUNDED, minute=6, amount=10_800), currency="USD")
    assert order([placed, nothing]).refunded_at is None
    assert (order([placed, nothing, dollars]).refunded_at, order([placed, dollars]).refunded_minor) == (dollars.at, 0)
    assert order([_fact(PAID), _fact(REFUNDED, minute=7)]).refunded_at == _NOON + timedelta(minutes=7)


def test_a_payment_seen_before_its_order_names_the_price_until_the_order_arrives() -> None:
    paid = _fact(PAID, minute=5, amount=9_900)
    assert order([paid]).total_minor == 9_900
    assert order([paid, _fact(PLACED, amount=10_000)]).total_minor == 10_000


def test_the_newest_fact_says_whose_order_it_is() -> None:
    assert order([_fact(PAID, minute=5, customer="c2"), _fact(PLACED)]).customer_id == "c2"


def _refund(minute: int, amount: str) -> dict[str, str]:
    return {"refunded_at": f"{_NOON + timedelta(minutes=minute):%FT%TZ}", "refunded_amount": amount}


def test_a_file_that_is_written_anew_returns_nothing_twice() -> None:
    """Its line is another one, as its number or a later refund was added, and says what came back in all."""
    first, again = _file(**_refund(5, "10.00")), _file(**_refund(5, "10.00"), order_number="#1")
    later, corrected = _file(**_refund(9, "30.00")), _file(**_refund(9, "5.00"))
    everything = _file(refunded_at=f"{_NOON:%FT%TZ}")
    assert order(first).refunded_minor == 10_00
    assert order([*first, *again]).refunded_minor == 10_00
    assert order([*later, *first, *again]).refunded_minor == 30_00
    assert order([*first, *corrected, *everything]).refunded_minor == 5_00
    assert order(everything).refunded_minor == 100_00


def test_a_corrected_line_of_the_same_moments_counts_whichever_order_its_hash_gives_it() -> None:
    """By chance the ids of some of these lines are in the order in which they were read, and others' are not."""
    for cents in range(10):
        wrong = _file(_NOON, amount=f"99.{cents:02}", customer_id="c9", **_refund(5, "50.00"))
        right = _file(_NOON + timedelta(seconds=1), amount=f"90.{cents:02}", **_refund(5, "10.00"))
        shops = _fact(PLACED, amount=70_00, event="zzz")
        seen = order([*right, shops, *wrong])
        assert (seen.total_minor, seen.refunded_minor, seen.customer_id) == (90_00 + cents, 10_00, "c1")


def test_a_line_that_corrects_a_moment_leaves_nothing_of_the_one_before() -> None:
    def line(day: int, cents: int, **cells: str) -> list[OrderFact]:
        moments = dict.fromkeys(("placed_at", "paid_at", "cancelled_at"), f"2026-10-{day:02}T09:00:00Z")
        return _file(_NOON + timedelta(seconds=cents), amount=f"10.{cents:02}", **(moments | cells))

    for wrong, right in ((5, 9), (9, 5)):
        seen = order([*line(right, 2), *line(wrong, 1)])
        assert {seen.placed_at, seen.paid_at, seen.cancelled_at} == {datetime(2026, 10, right, 9, tzinfo=UTC)}
        assert seen.total_minor == 10_02
    before = _file(amount="99.00", placed_at="2026-10-07T09:00:00Z")  # as lines were kept before they said when
    assert order([*before, *line(5, 1)]).total_minor == 10_01
    shops = _fact(PLACED, amount=70_00, event="zzz")
    assert order([shops, *line(5, 1), *line(9, 2)]).total_minor == 70_00  # the shop's own word is newer
    named = (
        [*line(9, 1, order_number="#1"), *line(5, 2)],
        [*line(9, 1, order_number="#1"), *line(5, 2, order_number="#2")],
    )
    assert [order(lines).order_number for lines in named] == ["#1", "#2"]
    # what a line leaves out stays as it was
    assert order([*line(5, 1), *line(5, 2, cancelled_at="")]).cancelled_at == datetime(2026, 10, 5, 9, tzinfo=UTC)


def test_what_a_file_says_came_back_and_what_the_shop_says_of_the_same_are_one() -> None:
    """Files overlap with what the shop tells by itself, and our own export is made of it."""
    shops = [_fact(REFUNDED, minute=5, amount=10_00), _fact(REFUNDED, minute=7, amount=20_00)]
    placed = _fact(PLACED, amount=100_00)
    for minute, amount, returned in ((5, "10.00", 30_00), (7, "30.00", 30_00), (9, "35.00", 35_00), (9, "1.00", 30_00)):
        assert order([placed, *_file(**_refund(minute, amount)), *shops]).refunded_minor == returned
    assert order([placed, *_file(**_refund(7, "30.00")), *shops, _fact(REFUNDED, minute=8)]).refunded_minor == 100_00


def test_a_shop_that_calls_itself_import_has_its_refunds_added_up() -> None:
    row = {"kind": REFUNDED, "happened_at": _NOON, "source": "import", "customer_id": "c1", "amount_minor": 5_00}
    row |= {"currency": "EUR", "order_number": None, "order_url": None, "categories": None, "read_at": None}
    refunds = [OrderFact.of(row | {"event_id": name}) for name in ("refund-1", "refund-2")]
    assert order([_fact(PLACED, amount=100_00), *refunds]).refunded_minor == 10_00
