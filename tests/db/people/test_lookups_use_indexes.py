"""Who is who in a store of many: each look-up reads the few rows it is about, under row security, too."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from benchmarks.contacts.plans import ExplainedConnection
from benchmarks.contacts.shop_of_size import shop
from db.people import contacts, explained, pushes, visits
from db.pool import Connection, Pool, scoped, use_json
from db.reporting import conversations
from tests.services.attached import ACCOUNT_ID

_CUSTOMERS = 3_000  # more rows than a look-up may read in vain
_SMALL_SHOPS = """
insert into wootstream.customers (organization_id, customer_id)
select gen_random_uuid(), 'c1' from generate_series(1, $1::int)
"""
LookUp = Callable[[Connection, uuid.UUID], Awaitable[Any]]
_LOOKUPS: dict[str, LookUp] = {
    "the contact of a customer": lambda conn, store: pushes.contacts_of(conn, [(store, "c10"), (store, "c7")]),
    "the customer of a contact": lambda conn, store: pushes.people(conn, [(store, ACCOUNT_ID, 10)]),
    "who bears a contact's names": lambda conn, store: contacts.known(
        conn, [contacts.NamesRow(store, ACCOUNT_ID, 7, "C7@x.example", "c7", None)]
    ),
    "who is asked for": lambda conn, store: explained.named(conn, store, "C7@x.example"),
    "who is talking": lambda conn, store: visits.talking(conn, [(store, "c10")]),
    "whose a conversation is": lambda conn, store: conversations.customers(conn, [(store, 1, 10)]),
}


@pytest_asyncio.fixture(scope="module")
async def store(own_database: str) -> uuid.UUID:
    """Beside so many small ones that a store seems small."""
    async with asyncpg.create_pool(own_database, min_size=0, max_size=2, init=use_json) as admin:
        await admin.execute(_SMALL_SHOPS, _CUSTOMERS)
        return await shop(admin, _CUSTOMERS)


@pytest.mark.parametrize("name", _LOOKUPS)
async def test_a_look_up_reads_no_whole_store(own_pool: Pool, store: uuid.UUID, name: str) -> None:
    async with scoped(own_pool, {store}) as conn:
        watched = ExplainedConnection(conn)
        await _LOOKUPS[name](watched, store)
        assert (watched.statements > 0, watched.wasteful) == (True, set())


async def test_a_contact_is_found_by_an_address_in_any_case(own_pool: Pool, store: uuid.UUID) -> None:
    async with scoped(own_pool, {store}) as conn:
        (found,) = await contacts.known(
            conn, [contacts.NamesRow(store, ACCOUNT_ID, 999_999, "C7@X.Example", None, None)]
        )
        assert (found["chatwoot_contact_id"], await explained.named(conn, store, "C7@X.EXAMPLE")) == (7, ["c7"])
