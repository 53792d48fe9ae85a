"""Contact webhooks in any order: who is who, what Chatwoot holds, who is due."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from db.pool import Pool, scoped
from schemas.topics import WEBHOOKS
from services.contacts import handlers
from services.contacts.events import read
from services.kernel import Record
from tests.field_cases import FOLDER
from tests.recordings.recorded import RUNS, disordered, rows, stores
from tests.services.attached import attach

CASE = FOLDER / "wide_number_in_contact_webhook.json"
_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def webhook(store: uuid.UUID, contact: int = 7, *, second: int | None = None, **fields: Any) -> Record:
    """contact_updated as of that second; contact_created without one."""
    event = "contact_created" if second is None else "contact_updated"
    moved = [
        {"updated_at": {"previous_value": None, "current_value": (_NOON + timedelta(seconds=second or 0)).isoformat()}}
    ]
    body = {"event": event, "id": contact, **fields} | ({} if second is None else {"changed_attributes": moved})
    return _record(store, event, orjson.dumps(body))


def _record(store: uuid.UUID, event: str, body: bytes) -> Record:
    return Record.accepted(
        WEBHOOKS.name, key=b"", value=body, store=store, event=event, origin="webhook", received_at=_NOON
    )


async def keep(pool: Pool, records: Sequence[Record]) -> int:
    events = [event for record in records if (event := read(record))]
    async with scoped(pool, {record.store for record in records}) as conn:
        return len(await handlers.keep(conn, events))


async def contacts(pool: Pool, store: uuid.UUID) -> dict[int, dict[str, Any]]:
    async with scoped(pool, {store}) as conn:
        found = await conn.fetch(
            "select chatwoot_contact_id as id, email, phone, customer_id, user_id, cached_attributes as attributes"
            " from public.chatwoot_contacts where organization_id = $1 order by 1",
            store,
        )
    return {row["id"]: {key: value for key, value in row.items() if key != "id"} for row in found}


async def due(pool: Pool, store: uuid.UUID) -> list[str]:
    async with scoped(pool, {store}) as conn:
        return [row["person"] for row in await conn.fetch("select person from wootstream.due order by 1")]


async def test_the_same_batch_twice_changes_nothing(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    records = [webhook(store), webhook(store, second=1, email="jan@x.example", identifier="c1")]
    assert await keep(pool, records) == 2
    before = await contacts(pool, store)
    assert await keep(pool, records) == 0
    assert await contacts(pool, store) == before


async def test_a_late_webhook_does_not_bring_back_what_was(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [webhook(store, second=9, email="new@x.example", custom_attributes={"order_count": 2})])
    assert await keep(pool, [webhook(store, second=5, email="old@x.example"), webhook(store)]) == 0
    assert (await contacts(pool, store))[7]["email"] == "new@x.example"


async def test_an_address_moves_to_the_contact_seen_with_it_last(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [webhook(store, 7, second=1, email="jan@x.example", identifier="c1")])
    await keep(pool, [webhook(store, 8, second=5, email="Jan@X.example", identifier="c2")])
    found = await contacts(pool, store)
    assert [(found[one]["email"], found[one]["customer_id"]) for one in (7, 8)] == [
        (None, "c1"),
        ("Jan@X.example", "c2"),
    ]


async def test_two_contacts_swap_their_addresses_in_one_batch(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(
        pool, [webhook(store, 7, second=1, email="a@x.example"), webhook(store, 8, second=1, email="b@x.example")]
    )
    await keep(
        pool, [webhook(store, 7, second=5, email="b@x.example"), webhook(store, 8, second=6, email="a@x.example")]
    )
    found = await contacts(pool, store)
    assert (found[7]["email"], found[8]["email"]) == ("b@x.example", "a@x.example")


async def test_an_identifier_names_a_user_only_where_there_is_one(pool: Pool, admin_pool: Pool) -> None:
    store, known, unknown = await attach(admin_pool), uuid.uuid4(), uuid.uuid4()
    async with admin_pool.acquire() as conn:
        await conn.execute("insert into auth.users (id) values ($1)", known)
    await keep(pool, [webhook(store, 7, identifier=str(known)), webhook(store, 8, identifier=str(unknown))])
    found = await contacts(pool, store)
    assert (found[7]["user_id"], found[8]["user_id"], found[8]["customer_id"]) == (known, None, str(unknown))


async def test_only_people_with_a_name_are_due_and_by_the_shops_name_if_they_have_one(
    pool: Pool, admin_pool: Pool
) -> None:
    store = await attach(admin_pool)
    await keep(pool, [webhook(store, 1), webhook(store, 2, email="jan@x.example"), webhook(store, 3, identifier="c3")])
    assert await due(pool, store) == ["contact:2", "customer:c3"]


async def test_a_contact_that_only_spoke_is_not_due_again(pool: Pool, admin_pool: Pool) -> None:
    store = await attach(admin_pool)
    await keep(pool, [webhook(store, second=1, identifier="c1")])
    async with scoped(pool, {store}) as conn:
        await conn.execute("delete from wootstream.due")
    assert await keep(pool, [webhook(store, second=2, identifier="c1")]) == 1
    assert await due(pool, store) == []


async def test_the_sender_of_a_new_conversation_is_known_even_when_their_own_webhook_was_lost(
    pool: Pool, admin_pool: Pool
) -> None:
    store = await attach(admin_pool)
    body = {"event": "conversation_created", "meta": {"sender": {"id": 7, "email": "jan@x.example", "type": "contact"}}}
    await keep(pool, [_record(store, "conversation_created", orjson.dumps(body))])
    await keep(pool, [webhook(store, second=1, email="jan@y.example")])
    assert (await contacts(pool, store))[7]["email"] == "jan@y.example"


@pytest.mark.parametrize("order", ["recorded", "reversed", "1", "2"])
@pytest.mark.parametrize("run", RUNS)
async def test_recorded_webhooks_in_any_order_end_where_chatwoot_ended(
    run: str, order: str, pool: Pool, admin_pool: Pool
) -> None:
    """Every contact that Chatwoot's own database still had has the same names and attributes here."""
    shops = {one["name"]: (await attach(admin_pool), one["account"]) for one in stores(run)}
    webhooks = disordered(run, order)
    for begin in range(0, len(webhooks), 100):
        await keep(pool, [_record(shops[one.store][0], one.event, one.body) for one in webhooks[begin : begin + 100]])
    for store, account in shops.values():
        ours, theirs = await contacts(pool, store), rows(run, "contacts", account)
        assert len(theirs) > 5
        assert {row["id"]: _told(ours[row["id"]]) for row in theirs} == {row["id"]: _held(row) for row in theirs}


def _told(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["email"], row["phone"], row["customer_id"], row["attributes"]


def _held(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["email"], row["phone_number"], row["identifier"], row["custom_attributes"]


@pytest.mark.parametrize("wrap", ["contact_updated", "conversation_created"])
async def test_a_wide_number_among_attributes_costs_neither_the_contact_nor_itself(
    pool: Pool, admin_pool: Pool, wrap: str
) -> None:
    """JSON that Ruby writes and PostgreSQL's driver does not: 44 digits, kept as text."""
    store = await attach(admin_pool)
    body = CASE.read_bytes()
    if wrap == "conversation_created":
        body = b'{"event":"conversation_created","id":1,"meta":{"sender":' + body + b"}}"
    assert await keep(pool, [_record(store, wrap, body)]) == 1
    (contact,) = (await contacts(pool, store)).values()
    assert (contact["customer_id"], contact["attributes"]) == ("k0", {"invoice_key": "3" * 44})
