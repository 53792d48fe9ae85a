"""A sealed record shows nothing of its person, opens as it was, and cannot be changed or moved."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from services.kernel import Invalid, Record
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.sealing.envelope import header_of, opened
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.sealer import Sealer
from services.kernel.sealing.tree import Tree
from services.kernel.sealing.whose import of_webhook
from services.kernel.secrets import Secrets

_STORE = uuid.uuid4()
_NOW = datetime(2026, 11, 29, 12, 0, 0, 500_000, tzinfo=UTC)
_MONTH = datetime(2026, 11, 1, tzinfo=UTC)
_ANNA, _TALK = Subject("customer", "anna@example.com"), Subject("conversation", "7")
_PSEUDONYMS = Pseudonyms(Secrets(b"k" * 32))


def _sealer(tree: Tree | None = None) -> Sealer:
    return Sealer(_STORE, [TreeKeys(uuid.uuid4(), _MONTH, tree or Tree.planted())], _PSEUDONYMS, b"s" * 32)


def _record(value: bytes = b'{"name": "Anna"}', at: datetime = _NOW) -> Record:
    key = f"{_STORE}:anna@example.com".encode()
    return Record.accepted("t", key=key, value=value, store=_STORE, event="e", origin="shop", received_at=at)


def _opened(sealer: Sealer, record: Record) -> tuple[bytes, bytes] | None:
    keys = sealer.trees[0].of(header_of(record).names, record.received_at)
    return opened(record, keys) if keys else None


def test_it_opens_as_it_was_and_shows_nothing_before() -> None:
    sealer, plain = _sealer(), _record()
    sealed = sealer.sealed(plain, [_ANNA, _TALK])
    assert _opened(sealer, sealed) == (plain.key, plain.value)
    assert sealed.is_closed
    shown = b" ".join((sealed.key or b"", sealed.value, *(value for _, value in sealed.headers))).lower()
    assert b"anna" not in shown


def test_records_of_one_key_keep_their_partition() -> None:
    sealer = _sealer()
    assert sealer.sealed(_record(), [_ANNA]).key == sealer.sealed(_record(b"{}"), [_TALK]).key


@pytest.mark.parametrize("gone", [_ANNA, _TALK])
def test_each_of_whom_it_is_about_takes_the_key_away(gone: Subject) -> None:
    sealer = _sealer()
    before, later = (sealer.sealed(_record(at=at), [_ANNA, _TALK]) for at in (_NOW, _NOW + timedelta(seconds=1)))
    [name] = (int.from_bytes(digest[:5]) for digest in _PSEUDONYMS.of(_STORE, gone))
    after = Sealer(_STORE, [sealer.trees[0].without(name, _NOW)], _PSEUDONYMS, b"s" * 32)
    assert _opened(after, before) is None
    assert _opened(after, later) is not None
    # Somebody else's is untouched.
    assert _opened(after, sealer.sealed(_record(), [Subject("customer", "ben")])) is not None


def test_what_was_changed_or_moved_does_not_open() -> None:
    sealer = _sealer()
    one, other = sealer.sealed(_record(), [_ANNA]), sealer.sealed(_record(), [_ANNA])
    moved = Record(one.topic, one.key, other.value, one.headers)
    elsewhere = Record("u", one.key, one.value, one.headers)
    cut = Record(one.topic, one.key, one.value[:20], one.headers)
    for record in (moved, elsewhere, cut):
        with pytest.raises(Invalid):
            _opened(sealer, record)


def test_sent_again_it_still_opens() -> None:
    sealer = _sealer()
    assert _opened(sealer, sealer.sealed(_record(), [_ANNA]).coming_from("redrive")) is not None


def test_what_is_about_nobody_is_the_stores() -> None:
    sealer = _sealer()
    assert _opened(sealer, sealer.sealed(_record(), [])) is not None


def test_after_a_year_without_postgresql_it_still_seals() -> None:
    sealer = _sealer()
    assert _opened(sealer, sealer.sealed(_record(at=_NOW + timedelta(days=366)), [_ANNA])) is not None


def test_a_webhooks_people_are_its_conversation_and_contacts_never_agents() -> None:
    body = {
        "event": "message_created", "message_type": "outgoing",
        "sender": {"id": 3, "type": "user", "email": "a@shop.nl"},
        "conversation": {"id": 7, "contact_inbox": {"contact_id": 12}, "meta": {
            "sender": {"id": 12, "email": "Anna@x.nl", "identifier": "c1", "phone_number": "+31 6 1"},
            "assignee": {"id": 3, "email": "a@shop.nl"}}},
    }  # fmt: skip
    assert set(of_webhook("message_created", "conversation:7", body)) == {
        _TALK, Subject("contact", "12"), Subject("customer", "c1"), Subject("email", "anna@x.nl"),
        Subject("phone", "+3161"),
    }  # fmt: skip


def test_whatever_a_body_holds_names_so_few_and_so_short() -> None:
    contact = {"id": "x", "email": ["a@b.nl"], "identifier": "c" * 4_000_000, "phone_number": {"n": 1}}
    body = {
        "conversation": [],
        "meta": {"sender": contact},
        "sender": "me",
        "contact_inbox": 7,
        "message_type": "incoming",
    }
    assert list(of_webhook("message_created", "account", body)) == []
