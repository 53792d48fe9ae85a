"""An e-mail address with something left around it is the same address, in the tables as among the erased."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson

import db
from db.pool import scoped
from schemas.topics import SHOP_EVENTS, WEBHOOKS, Topic
from services.contacts import events as contact_events
from services.contacts import handlers as contact_handlers
from services.customers import events, handlers
from services.kernel import Process, Record, Settings
from services.kernel.consent.words import ConsentWord, ConsentWords
from services.kernel.forgetting.subjects import Subject
from services.privacy.consent import standing
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.databases import copied_database
from tests.services.attached import ACCOUNT_ID, attach
from tests.services.privacy.conftest import KnownShop

_NOW = datetime.now(UTC)
_CUSTOMER = "insert into wootstream.customers (organization_id, customer_id, email) values ($1, $2, $3)"
_CONTACT = """
insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, email, seen_at)
values ($1, $2, $3, $4, $5)
"""
_MIGRATION = Path(db.__file__).parent / "migrations" / "0084_bare_emails.sql"


def _record(shop: KnownShop, topic: Topic, said: Mapping[str, Any], *, event: str, origin: Any) -> Record:
    return Record.accepted(
        topic.name, key=b"", value=orjson.dumps(said), store=shop.store, event=event, origin=origin, received_at=_NOW
    )


async def _says(shop: KnownShop, process: Process, customer: str, email: str) -> None:
    """As the shop's own event, through the consumer."""
    told: dict[str, Any] = {"specversion": "1.0", "id": customer, "source": "shop", "type": "customer.updated",
            "time": _NOW.isoformat(), "data": {"customer_id": customer, "email": email}}  # fmt: skip
    fact = events.read(_record(shop, SHOP_EVENTS, told, event=told["type"], origin="shop"))
    assert fact is not None
    async with scoped(process.pool(), {shop.store}) as conn:
        await handlers.keep_facts(conn, [fact])


async def _shows(shop: KnownShop, process: Process, contact: int, email: str) -> None:
    """As Chatwoot's webhook, through the consumer."""
    body: dict[str, Any] = {"event": "contact_created", "id": contact, "account": {"id": ACCOUNT_ID}, "email": email}
    seen = contact_events.read(_record(shop, WEBHOOKS, body, event=body["event"], origin="webhook"))
    assert seen is not None
    async with scoped(process.pool(), {shop.store}) as conn:
        await contact_handlers.keep(conn, [seen])


async def test_who_is_asked_for_is_found_whatever_was_left_around_their_address(
    shop: KnownShop, settings: Settings
) -> None:
    process = Process(settings)
    await _says(shop, process, "c1", "\tAnna@x.example ")
    await _shows(shop, process, 17, " anna@x.example\u00a0")
    found = await shop.find("email:anna@x.example")
    assert (*found.customers, *found.contact_ids) == ("c1", 17)
    await process.close()


async def test_who_takes_anothers_address_with_a_blank_behind_it_is_not_forgotten_in_their_place(
    shop: KnownShop, settings: Settings
) -> None:
    """Anna's withdrawal, under her address, went with the erasure of whoever had it written otherwise."""
    process = Process(settings)
    await _says(shop, process, "c1", "anna@x.example")
    await _says(shop, process, "c2", "ANNA@x.example ")
    word = ConsentWord(shop.store, Subject("email", "anna@x.example"), "chat", False, _NOW, "shop")
    async with scoped(process.pool(), {shop.store}) as conn:
        await ConsentWords(process.secrets).add(conn, [word])
    person = await shop.find("customer:c2")
    assert Subject("email", "anna@x.example") not in person.subjects
    await erasure.carry_on(await erasure.begin(process, shop.store, meant("customer:c2")))
    told = await standing.standing(process, shop.store, meant("email:anna@x.example"))
    assert told["now"]["chat"]["state"] == "withdrawn"
    await process.close()


async def test_what_was_kept_so_before_is_kept_bare_from_the_migration_on(migrated: str) -> None:
    async with copied_database(migrated) as url, asyncpg.create_pool(url, min_size=0, max_size=2) as admin:
        store = await attach(admin)
        rows = {"c1": " Anna@x.example\t", "c2": "ben@x.example", "c3": None}
        contacts = {
            1: "a@x.example ",
            2: "\ta@x.example",
            3: " b@x.example",
            4: "b@x.example",
            5: "  ",
            6: " É@x.example",
        }
        async with admin.acquire() as conn:
            for name, email in rows.items():
                await conn.execute(_CUSTOMER, store, name, email)
            for number, email in contacts.items():
                at = _NOW.replace(year=2000 + number, day=1)
                await conn.execute(_CONTACT, store, ACCOUNT_ID, number, email, at)
            await conn.execute("set role wootstream_owner")
            await conn.execute(_MIGRATION.read_text())
            await conn.execute("reset role")
            found = await conn.fetch("select customer_id, email from wootstream.customers order by 1")
            seen = await conn.fetch("select chatwoot_contact_id, email from public.chatwoot_contacts order by 1")
    assert [tuple(row) for row in found] == [("c1", "Anna@x.example"), ("c2", "ben@x.example"), ("c3", None)]
    # Of two that become one, who was seen last has it; who has it already keeps it.
    assert [tuple(row) for row in seen] == [
        (1, None), (2, "a@x.example"), (3, None), (4, "b@x.example"), (5, None), (6, "É@x.example"),
    ]  # fmt: skip
