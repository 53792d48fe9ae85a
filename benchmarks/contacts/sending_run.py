"""Order events on their way into Chatwoot: consumer and sender as in `wootstream run`, before the double over HTTP."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.contacts.order_book import STORES, OrderBook, book, publish, records
from db.people.due import QUIET
from local.chatwoot import seed
from local.chatwoot.app import app, listening
from local.chatwoot.double import Double
from schemas import topics
from services.contacts import app as contacts
from services.customers import app as customers
from services.kernel import Process, Settings
from tests.services.attached import attach, authorize

_KNOWN = """
insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, customer_id)
select $1, $2, n + 1, 'c' || n from generate_series(0, $3 - 1) n
"""
_CONSUMED = "select coalesce(sum(consumed), 0) from wootstream.ledger where consumer_group = 'customers'"
_LOOK = """
select count(*) as waiting, count(*) filter (where not_before <= clock_timestamp()) as ready from wootstream.due
where organization_id = any ($1)
"""
_LONGEST_SECONDS = 1800.0  # then something is wrong
_SHORTEST_SECONDS = 5.0
_BACKLOG = 200  # people ready: more than a sender takes at once


@dataclass(frozen=True, slots=True)
class ContactChange:
    """A call that reached a contact; `news` says whether Chatwoot held something else before."""

    contact: tuple[int, int]
    at: float
    news: bool


@dataclass
class SendingOutcome:
    """What came of a run."""

    events: int
    contacts: int
    calls: int
    throttled: int
    wrong: int  # contacts that do not hold what their orders come to
    changes: list[ContactChange]
    looks: list[tuple[float, int, int]] = field(default_factory=list)  # (when, calls so far, people ready)
    seconds: float = 0.0

    @property
    def perfect_calls(self) -> int:
        """One for each contact and quiet window in which something changed, however many events told it."""
        windows, opened = 0, dict[tuple[int, int], float]()
        for one in self.changes:
            if one.news and one.at - opened.get(one.contact, 0.0) >= QUIET.total_seconds():
                windows += 1
                opened[one.contact] = one.at
        return windows

    def budget_use(self, per_second: float) -> float | None:
        """Calls by what the pace allows, from look to look with a backlog; None where that was no time at all."""
        seconds, calls = 0.0, 0
        for (since, before, ready), (until, after, still) in pairwise(self.looks):
            if min(ready, still) >= _BACKLOG:
                seconds, calls = seconds + until - since, calls + after - before
        return calls / (per_second * seconds) if seconds >= _SHORTEST_SECONDS else None


class SendingBench:
    """Five stores of one Chatwoot, whose customers are all known to it."""

    def __init__(self, settings: Settings, admin: Any, chance: random.Random) -> None:
        self.settings = settings
        self.admin = admin
        self.chance = chance
        self.double = Double()
        self.double.limits.enforce_on_loopback = True
        self.changes: list[ContactChange] = []
        self._stores: list[uuid.UUID] = []
        self._consumed = 0  # by earlier runs on the same stack

    async def run(self, events: int) -> SendingOutcome:
        self._consumed = await self.admin.fetchval(_CONSUMED)
        async with listening(self._noted(app(self.double))) as address, self._process() as process:
            orders = await self._open(address, process, events)
            begun = time.monotonic()
            sent = SendingOutcome(events, len(orders.orders), 0, 0, 0, self.changes)
            publishing = asyncio.create_task(self._publish(process, orders))
            async with asyncio.timeout(_LONGEST_SECONDS):
                while not await self._finished(events, sent):
                    if publishing.done():
                        publishing.result()  # what it raised ends the run
                    await asyncio.sleep(0.5)
            await publishing
            sent.seconds = time.monotonic() - begun
        sent.calls, sent.throttled = sum(self.double.calls.values()), self.double.limits.refused
        sent.wrong = sum(not self._holds(*one) for one in orders.expected())
        return sent

    async def _open(self, address: str, process: Process, events: int) -> OrderBook:
        self._stores = [uuid.uuid4() for _ in range(STORES)]
        orders = book(self._stores, events, self.chance)
        for number, store in enumerate(self._stores, 1):
            # One token for all, as the tests' stores have it: its user is a member of each account.
            place = {"chatwoot_base_url": address, "chatwoot_account_id": number}
            account = seed.add_account(self.double, number, token="token")  # noqa: S106
            for customer in range(orders.customers):
                seed.add_contact(self.double, account, id=customer + 1, identifier=f"c{customer}")
            for one in self.double.state.accounts.values():
                one.members[self.double.state.tokens["token"].id] = {"role": "administrator"}
            await attach(self.admin, organization_id=store, push="live", **place)
            await authorize(self.admin, store, process.secrets)
            await self.admin.execute(_KNOWN, store, number, orders.customers)
        return orders

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Process]:
        process = Process(self.settings)
        customers.add_to(process)
        contacts.add_to(process)
        serving = asyncio.create_task(process.serve())
        try:
            yield process
        finally:
            process.stopping.set()
            if await serving:
                raise RuntimeError("the sending process failed")

    async def _publish(self, process: Process, orders: OrderBook) -> None:
        while not process.publisher.connected:
            await asyncio.sleep(0.05)
        await publish(process.publisher, records(topics.SHOP_EVENTS, orders))

    async def _finished(self, events: int, sent: SendingOutcome) -> bool:
        """All consumed and nobody waits; on the way the backlog is noted."""
        row = await self.admin.fetchrow(_LOOK, self._stores)
        sent.looks.append((time.monotonic(), sum(self.double.calls.values()), row["ready"]))
        return row["waiting"] == 0 and await self._all_consumed(events)

    async def _all_consumed(self, events: int) -> bool:
        return bool(await self.admin.fetchval(_CONSUMED) >= self._consumed + events)

    def _noted(self, inner: ASGIApp) -> ASGIApp:
        """Note each call to a contact, and whether it changed anything."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            place = self._place(scope["path"])
            before = dict(self._attributes(*place)) if place else {}
            await inner(scope, receive, send)
            if place:
                self.changes.append(ContactChange(place, time.monotonic(), before != self._attributes(*place)))

        return noting

    def _place(self, path: str) -> tuple[int, int] | None:
        parts = path.split("/")
        return (int(parts[4]), int(parts[6])) if len(parts) > 6 and parts[6].isdecimal() else None

    def _attributes(self, account: int, contact: int) -> dict[str, Any]:
        return self.double.state.contacts[account][contact].custom_attributes

    def _holds(self, store: uuid.UUID, customer: int, expected: dict[str, Any]) -> bool:
        held = self._attributes(self._stores.index(store) + 1, customer + 1)
        return expected.items() <= held.items()
