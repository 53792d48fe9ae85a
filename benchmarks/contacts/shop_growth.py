"""What it costs as a shop grows: an order event with few customers and many, and people leased from a full mailbox.

Two stores in one database, a hundred times apart, filled by PostgreSQL itself; batches of order events for customers at
random are kept in both by turns, as the consumer keeps them. Then so many people of the large store wait, and batches
of those due are taken, with the contact behind each and what is wanted of it, as the sender takes them. Each statement
is explained once as it runs: none may read a whole table, or a whole store, for a few rows.
`python -m benchmarks.contacts.shop_growth --customers 1000000 --json` ends with one object.
"""

import random
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg

from benchmarks._command import command
from benchmarks._stack import open_stack
from benchmarks.contacts.plans import ExplainedConnection, explained
from benchmarks.contacts.shop_of_size import let_wait, shop
from db.migrate import migrate
from db.people import contacts, due, pushes
from db.people import explained as explained_tables
from db.pool import SERVICE, Connection, Pool, open_pool, scoped
from services.customers import handlers
from services.customers.events import ShopFact
from services.kernel import Record
from tests.services.attached import ACCOUNT_ID

_HUNDREDTH = 100
_WAITING_SHARE = 5  # of a million customers, 200,000 wait
_EVENTS = 100  # of a batch
_LEASED = 200  # as many as the sender takes at once


async def measure(customers: int, rounds: int) -> dict[str, Any]:
    async with open_stack() as (stack, _):
        await migrate(stack.database_url)
        pool = open_pool(stack.database_url, SERVICE)
        async with asyncpg.create_pool(stack.database_url) as admin:
            few, many = [await shop(admin, wanted) for wanted in (customers // _HUNDREDTH, customers)]
            print(f"two shops of {customers // _HUNDREDTH:,} and {customers:,} customers are there")
            sizes = {few: customers // _HUNDREDTH, many: customers}
            kept = await _kept(pool, sizes, rounds)
            waiting = customers // _WAITING_SHARE
            await let_wait(admin, many, waiting)
            leased = await _leased(pool, many, rounds)
            wasteful = await _wasteful(pool, many, customers)
        await pool.close()
    grown = statistics.median(large / small for small, large in zip(kept[few], kept[many], strict=True))
    p95 = {name: statistics.quantiles(times, n=20)[-1] for name, times in leased.items()}
    print(f"an order event costs {grown:.2f} times as much with {customers:,} customers")
    print(
        f"of {waiting:,} waiting people {_LEASED} are "
        + ", ".join(f"{k} in {v * 1000:.1f} ms (p95)" for k, v in p95.items())
    )
    print("\n".join(sorted(wasteful)) or "no statement reads a whole table or store")
    if wasteful:
        sys.exit(1)
    return {
        "name": "shop_growth",
        "ratios": {"order_event_grown": round(grown, 2)},
        "figures": {
            "customers": customers,
            "waiting": waiting,
            "microseconds_an_event": round(statistics.median(kept[many]) / _EVENTS * 1e6),
        }
        | {f"{name}_p95_seconds": round(value, 4) for name, value in p95.items()},
    }


async def _kept(pool: Pool, sizes: dict[uuid.UUID, int], rounds: int) -> dict[uuid.UUID, list[float]]:
    """Seconds of each batch of order events, by store."""
    times: dict[uuid.UUID, list[float]] = {store: [] for store in sizes}
    for number in range(rounds):
        for store, customers in list(sizes.items())[:: -1 if number % 2 else 1]:
            batch = _batch(store, customers)
            began = time.perf_counter()
            async with scoped(pool, {store}) as conn:
                await handlers.keep_facts(conn, batch)
            times[store].append(time.perf_counter() - began)
    return times


async def _leased(pool: Pool, store: uuid.UUID, rounds: int) -> dict[str, list[float]]:
    """Seconds of asking who is due, and of what the sender then reads of them."""
    times: dict[str, list[float]] = {"asked for": [], "leased": [], "looked up": []}
    for _ in range(rounds):
        async with scoped(pool, {store}) as conn:
            for name, seconds in (await _lease(conn, store)).items():
                times[name].append(seconds)
    return times


async def _lease(conn: Connection, store: uuid.UUID) -> dict[str, float]:
    marks = [time.perf_counter()]
    await due.waiting(conn, {store})
    marks.append(time.perf_counter())
    rows = await due.ready(conn, {store}, limit=_LEASED)
    marks.append(time.perf_counter())
    found = await pushes.contacts_of(conn, [(store, row["person"].removeprefix("customer:")) for row in rows])
    known = [row for row in found if row["chatwoot_contact_id"] is not None]
    await pushes.people(conn, [(store, row["chatwoot_account_id"], row["chatwoot_contact_id"]) for row in known])
    marks.append(time.perf_counter())
    for row in rows[: _LEASED // 2]:  # the next round meets others
        await due.postpone(conn, store, row["person"], by=timedelta(hours=1), failed=False)
    return dict(zip(("asked for", "leased", "looked up"), (b - a for a, b in pairwise(marks)), strict=True))


async def _wasteful(pool: Pool, store: uuid.UUID, customers: int) -> set[str]:
    """Statements that read more than they have to do with."""
    async with scoped(pool, {store}) as conn:
        watched: ExplainedConnection = explained(conn)
        await handlers.keep_facts(watched, _batch(store, customers))
        await contacts.known(watched, [contacts.NamesRow(store, ACCOUNT_ID, 7, "C7@x.example", "c7", None)])
        await explained_tables.named(watched, store, "C7@x.example")
        await _lease(watched, store)
        await pushes.names(watched, store, "c1")
        print(f"{watched.statements} statements explained")
        return watched.wasteful


def _batch(store: uuid.UUID, customers: int) -> Sequence[ShopFact]:
    chance, now = random.SystemRandom(), datetime.now(UTC)
    record = Record("", b"", b"", ())
    return [
        ShopFact(
            record, store, "shop", uuid.uuid4().hex, "order.placed", now, f"c{chance.randrange(customers) + 1}",
            order_id=uuid.uuid4().hex, amount_minor=10_000, currency="EUR",
        )
        for _ in range(_EVENTS)
    ]  # fmt: skip


if __name__ == "__main__":
    command(measure, "customers and the mailbox as a shop grows", amount="customers", default=1_000_000, rounds=50)
