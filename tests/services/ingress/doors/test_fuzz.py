"""Requests by the thousand that nobody should send: they are answered or hung up on, and nothing unproved is kept."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from db.pool import Pool
from local.demo.visitors import PageVisitor
from schemas.shop import MOST_EVENTS
from schemas.topics import SHOP_EVENTS, WEBHOOKS, WIDGET_EVENTS
from services.contacts import events as contacts
from services.conversations import events as conversations
from services.customers import events as orders
from services.customers.visits import events as visits
from services.ingress.doors.shop_events import elements
from services.kernel import Clock, Invalid, Record, Settings
from services.widget import events as widget
from tests.recordings.recorded import ALL_RUNS, account_webhooks
from tests.services.ingress.bench import ORIGIN, Shop, held, open_shop, serving
from tests.services.ingress.hostile import Hostile
from tests.services.ingress.wire import wire

pytestmark = [pytest.mark.usefixtures("topics"), pytest.mark.fuzz]
_IN_MAKE_TEST = 12_000
_AT_ONCE = 32
# 0: hung up without an answer, as it must where the request never ends or never began.
_ALLOWED = {0, 200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 417, 429, 431}
_SHORT = 4_096
_READERS: dict[str, tuple[Callable[[Record], Any], ...]] = {
    WEBHOOKS.name: (conversations.read, contacts.read),
    SHOP_EVENTS.name: (orders.read,),
    WIDGET_EVENTS.name: (widget.read, visits.read),
}


async def test_hostile_requests_are_answered_and_nothing_unproved_is_kept(
    settings: Settings, admin_pool: Pool, request: pytest.FixtureRequest
) -> None:
    count = request.config.getoption("--examples") or _IN_MAKE_TEST
    seed = random.randrange(2**32)
    print("seed", seed)
    shop = await open_shop(admin_pool, settings)
    counted = (
        "beacons_per_minute",
        "beacons_per_minute_network",
        "beacons_per_minute_store",
        "configs_per_minute_network",
    )
    lax = {"body_seconds": 0.05} | dict.fromkeys(counted, 10**9)

    async with serving(settings.model_copy(update=lax)) as (process, client):
        visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
        await visitor.arrive()
        hostile = Hostile(seed, shop, _bodies(), visitor.config["token"])
        answers, proved = await _send(process.address, hostile, count)
        assert (await client.get("/live")).status_code == 200
        assert 'reason="no_room"' not in (await client.get("/metrics")).text

    print(dict(answers))
    assert set(answers) <= _ALLOWED
    webhooks, events, beacons = [
        await held(settings, topic, shop.id) for topic in (WEBHOOKS, SHOP_EVENTS, WIDGET_EVENTS)
    ]
    assert {record.value for record in webhooks} <= proved
    batches = [body for body in proved if body.startswith(b"[")]
    known = proved | {event for body in batches for event in _elements(body)}
    others = [record.value for record in events if record.value not in known]
    assert [value for value in others if not any(value in body for body in batches)] == []
    assert {record.key for record in beacons} <= {_key(shop, visitor)}
    assert (bool(webhooks), bool(events), bool(beacons)) == (True, True, True)
    _read_all([*webhooks, *events, *beacons])


def _elements(batch: bytes) -> list[bytes]:
    """Its events, where it has any: of a million requests not each event can be looked for in each batch."""
    try:
        return elements(batch, MOST_EVENTS)
    except (ValueError, RecursionError):
        return []


def _read_all(records: Sequence[Record]) -> None:
    """What the doors took, every service that hears the topic reads, or says why not: nothing else is raised."""
    for record in records:
        for read in _READERS[record.topic]:
            with contextlib.suppress(Invalid, ValueError, RecursionError):  # what the kernel calls unreadable
                read(record)


def _bodies() -> list[bytes]:
    """Of each recording; the longest would cost time and show nothing more."""
    bodies = [one.body for run in ALL_RUNS for one in account_webhooks(run)]
    return [body for body in bodies if len(body) < _SHORT]


def _key(shop: Shop, visitor: PageVisitor) -> bytes:
    return f"{shop.id}:{visitor.config['session']}".encode()


async def _send(address: str, hostile: Hostile, count: int) -> tuple[Counter[int], set[bytes]]:
    """All of them over as many connections as are at once; one that the server closed is opened anew."""
    answers, proved, left = Counter[int](), set[bytes](), iter(range(count))

    async def work() -> None:
        while True:
            async with wire(address) as line:
                while not line.closed:
                    if next(left, None) is None:
                        return
                    asked = hostile.ask()
                    if asked.proved is not None:
                        proved.add(asked.proved)
                    status, _ = await line.ask(asked.raw, last=asked.last, pause_every=asked.pause_every)
                    answers[status] += 1
                    if asked.last or not status:
                        break

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return answers, proved
