"""Whatever stands in a field of a record, from a door or a foreign writer, is applied or refused with its reason."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.people import pushes
from db.pool import Connection, Pool
from schemas.beacons import WidgetReport
from schemas.chatwoot import rest
from schemas.chatwoot.contacts import ConversationStarted
from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from schemas.chatwoot.webhooks import ContactEvent
from schemas.shop import CustomerEvent, OrderEvent
from schemas.topics import SHOP_EVENTS, WEBHOOKS, WIDGET_EVENTS
from services.contacts import events as contact_events
from services.contacts import handlers as contacts
from services.contacts.sending.contacts_api import SenderAccount
from services.contacts.sending.due_work import Due, work_of
from services.conversations import events as conversation_events
from services.conversations import handlers as conversations
from services.conversations.figures.facts import TRACKED
from services.conversations.reports.query import Question, answer
from services.customers import events as shop_events
from services.customers import handlers as customers
from services.customers.visits import events as visit_events
from services.customers.visits import handlers as visit_handlers
from services.kernel import Record
from services.widget import events as widget_events
from services.widget import handlers as widget
from tests.fields import sound
from tests.fields.applying import nothing_is_our_bug, record
from tests.fields.hostile import Path, bodies, each, in_batches, places

_AT_ONCE = 20  # they meet each other in one batch
_SAMPLE, _SWEPT_AT_ONCE = 75, 75
_HASHES = (*TRACKED, "updated_at", "customer_tier")
_HEADERS = st.dictionaries(
    st.sampled_from(("id", "event", "received_at", "store", "chatwoot_timestamp", "origin", "other")),
    st.sampled_from(
        (
            *(b"", b"\0", b"\xff\xfe", b"x" * 70_000, b"\xed\xa0\xbd", b"null", b"1764064800", b"9" * 5_000, b"1e300"),
            *("²".encode(), b"-1", b"9999-12-31T23:59:59-12:00", b"0001-01-01T00:00:00+14:00", b"2026-11-25T10:00:00"),
            *(b"conversation_updated", b"message_created", b"rest.conversation", b"contact_updated", b"order.paid"),
        )
    ),
    max_size=2,
)
_PARTS = {
    "conversation_updated": (ConversationEvent, (sound.CONVERSATION, sound.CHANGED, sound.TURNED)),
    "message_created": (MessageEvent, (sound.MESSAGE, sound.INCOMING, sound.RATED)),
    rest.CONVERSATION: (rest.History, (sound.HISTORY,)),
    "contact_updated": (ContactEvent, (sound.CONTACT,)),
    "conversation_created": (ConversationStarted, (sound.STARTED,)),
    "customer.updated": (CustomerEvent, (sound.CUSTOMER,)),
    **{order["type"]: (OrderEvent, (order,)) for order in sound.ORDERS},
    "beacon": (tuple[WidgetReport, ...], (sound.VISITS,)),
}
_READERS: dict[str, Sequence[tuple[str, Any, Any]]] = {
    "conversation_updated": [(WEBHOOKS.name, conversation_events.read, conversations.keep)],
    "message_created": [(WEBHOOKS.name, conversation_events.read, conversations.keep)],
    rest.CONVERSATION: [(WEBHOOKS.name, conversation_events.read, conversations.keep)],
    "contact_updated": [(WEBHOOKS.name, contact_events.read, contacts.keep)],
    "conversation_created": [
        (WEBHOOKS.name, contact_events.read, contacts.keep),
        (WEBHOOKS.name, conversation_events.read, conversations.keep),
    ],
    "customer.updated": [(SHOP_EVENTS.name, shop_events.read, customers.keep_facts)],
    **{order["type"]: [(SHOP_EVENTS.name, shop_events.read, customers.keep_facts)] for order in sound.ORDERS},
    "beacon": [
        (WIDGET_EVENTS.name, widget_events.read, widget.keep),
        (WIDGET_EVENTS.name, visit_events.read, visit_handlers.keep),
    ],
}
Told = tuple[str, Any, dict[str, bytes]]


def _told(*events: str, more: Sequence[Path] = ()) -> st.SearchStrategy[list[Told]]:
    """A batch of records of these kinds: event, body and headers."""
    one = st.one_of(
        *(
            st.tuples(st.just(event), bodies(bases, [*places(model, _HASHES), *more]), st.just({}) | _HEADERS)
            for event, (model, bases) in ((event, _PARTS[event]) for event in events)
        )
    )
    return st.lists(one, min_size=_AT_ONCE // 2, max_size=_AT_ONCE)


def _records(topic: str, store: UUID, told: Sequence[Told]) -> list[Record]:
    return [record(topic, store, event, body, headers) for event, body, headers in told]


@in_batches(_AT_ONCE)
@given(told=_told("conversation_updated", "message_created", rest.CONVERSATION))
async def test_fields_of_conversations_and_messages(pool: Pool, store: UUID, told: list[Told]) -> None:
    records = _records(WEBHOOKS.name, store, told)

    await nothing_is_our_bug(pool, store, records, conversation_events.read, conversations.keep, _reported(store))


@in_batches(_AT_ONCE)
@given(told=_told("contact_updated", "conversation_created"))
async def test_fields_of_contacts(pool: Pool, store: UUID, told: list[Told]) -> None:
    records = _records(WEBHOOKS.name, store, told)

    await nothing_is_our_bug(pool, store, records, contact_events.read, contacts.keep, _sent)


@in_batches(_AT_ONCE)
@given(told=_told("customer.updated", *(order["type"] for order in sound.ORDERS)))
async def test_fields_of_the_shops_events(pool: Pool, store: UUID, told: list[Told]) -> None:
    records = _records(SHOP_EVENTS.name, store, told)

    await nothing_is_our_bug(
        pool, store, records, shop_events.read, customers.keep_facts, _known_in_chatwoot(store), _sent
    )


@in_batches(_AT_ONCE)
@given(told=_told("beacon", more=[(0, "event_data", name) for name in ("value_minor", "currency", "items")]))
async def test_fields_of_widget_events(pool: Pool, store: UUID, told: list[Told]) -> None:
    # By the month it was received in: of other months there may be no partition, which PostgreSQL says well.
    headers = [{name: value for name, value in given.items() if name != "received_at"} for _, _, given in told]
    given = [(event, body, some) for (event, body, _), some in zip(told, headers, strict=True)]
    records = _records(WIDGET_EVENTS.name, store, given)

    await nothing_is_our_bug(pool, store, records, widget_events.read, widget.keep)
    await nothing_is_our_bug(
        pool, store, records, visit_events.read, visit_handlers.keep, _known_in_chatwoot(store), _sent
    )


def _reported(store: UUID) -> Callable[[Connection], Any]:
    """What the reports make of the rows."""

    async def look(conn: Connection) -> None:
        for name in ("summary", "agents", "waiting"):
            question = Question(name, since="1970-01-02", until="2199-12-30")
            await answer(conn, store, question, now=datetime(2026, 11, 26, tzinfo=UTC))

    return look


def _known_in_chatwoot(store: UUID) -> Callable[[Connection], Any]:
    """The customer of the sound bodies has a contact there."""

    async def look(conn: Connection) -> None:
        one = record(WEBHOOKS.name, store, "contact_updated", sound.CONTACT, {})
        shown = contact_events.read(one)
        assert shown is not None
        await contacts.keep(conn, [shown])

    return look


async def _sent(conn: Connection) -> None:
    """What the sender makes of those who are due."""
    await conn.execute("update wootstream.due set not_before = clock_timestamp() - $1::interval", timedelta(days=1))
    due = [Due.of(row) for row in await conn.fetch("select * from wootstream.due")]
    accounts = {one.store: one for one in map(SenderAccount.of, await pushes.accounts(conn))}
    await work_of(conn, due, accounts)


@pytest.mark.parametrize("event", _PARTS)
async def test_sound_bodies_are_all_applied(pool: Pool, store: UUID, event: str) -> None:
    """Else the properties would only show that everything is refused."""
    _, sound_bodies = _PARTS[event]
    for topic, read, apply in _READERS[event]:
        records = [record(topic, store, event, body, {}) for body in sound_bodies]
        assert await nothing_is_our_bug(pool, store, records, read, apply) == len(records)


@pytest.mark.parametrize("event", _PARTS)
async def test_each_field_with_each_hostile_value(
    pool: Pool, store: UUID, event: str, request: pytest.FixtureRequest
) -> None:
    """One at a time and in no order; in make test a sample of them."""
    model, sound_bodies = _PARTS[event]
    seed = random.randrange(2**32)
    print("seed", seed)
    every = each(sound_bodies, places(model, _HASHES), random.Random(seed))
    found = list(every if request.config.getoption("--examples") else islice(every, _SAMPLE))
    for topic, read, apply in _READERS[event]:
        for start in range(0, len(found), _SWEPT_AT_ONCE):
            some = found[start : start + _SWEPT_AT_ONCE]
            records = [record(topic, store, event, body, {}) for body in some]
            await nothing_is_our_bug(pool, store, records, read, apply, _reported(store), _sent)
