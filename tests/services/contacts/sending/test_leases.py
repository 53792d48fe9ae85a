"""One sender for each Chatwoot: whoever has the lease, and nobody else, however its holder ended."""

import asyncio
import uuid

import httpx
import pytest
from prometheus_client import CollectorRegistry

from db.pool import Pool
from services.contacts.sending.leases import LEASE_SECONDS, Lease, LeaseLost, SenderLeases
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.sender import AttributeSender
from services.kernel import Chatwoot, Process
from tests.answering import Answering
from tests.services.contacts.bench import Bench, host
from tests.unit.kernel.test_chatwoot import Hand

_TAKEN_OVER_SECONDS = 15.0


def _urls(count: int) -> list[str]:
    return [f"https://{uuid.uuid4().hex}.example" for _ in range(count)]


async def _run_out(admin: Pool, *base_urls: str) -> None:
    """As when their holder has said nothing for as long as they hold."""
    async with admin.acquire() as conn:
        await conn.execute("update wootstream.senders set held_until = now() where base_url = any ($1)", base_urls)


async def test_each_chatwoot_has_a_holder_of_its_own(bench: Bench) -> None:
    first, second, (one, two) = SenderLeases(bench.process), SenderLeases(bench.process), _urls(2)
    assert await first.hold([one]) == {one}
    assert await second.hold([one, two]) == {two}
    assert (await first.hold([two]), first.is_held(one)) == (set(), True)


async def test_of_many_who_ask_at_once_one_gets_it(bench: Bench) -> None:
    (url,) = _urls(1)
    for _ in range(5):
        got = await asyncio.gather(*(SenderLeases(bench.process).hold([url]) for _ in range(6)))
        assert sorted(map(len, got)) == [0] * 5 + [1]
        await _run_out(bench.admin, url)


async def test_what_has_run_out_is_the_next_ones_and_its_holder_has_noticed_before(bench: Bench) -> None:
    dead, heir, (url,) = SenderLeases(bench.process), SenderLeases(bench.process), _urls(1)
    await dead.hold([url])
    bench.clock.seconds += LEASE_SECONDS
    assert not dead.is_held(url)
    with pytest.raises(LeaseLost):
        Lease(dead, url).check()
    assert await heir.hold([url]) == set()  # by PostgreSQL's clock it has not run out
    await _run_out(bench.admin, url)
    assert await heir.hold([url]) == {url}
    assert await dead.hold([url]) == set()
    assert LEASE_SECONDS + 1 < _TAKEN_OVER_SECONDS  # and a look at the mailbox each half second


async def test_who_ends_lets_go_at_once(bench: Bench) -> None:
    ending, heir, (url,) = SenderLeases(bench.process), SenderLeases(bench.process), _urls(1)
    await ending.hold([url])
    await ending.release()
    assert (await heir.hold([url]), ending.is_held(url)) == ({url}, False)


async def test_two_senders_serve_their_own_chatwoots_and_neither_the_others(bench: Bench) -> None:
    theirs, ours = await bench.store(), await bench.store()
    other = SenderLeases(bench.process)
    await other.hold([f"https://{host(theirs)}"])
    for store in (theirs, ours):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    await bench.sender.shift()
    assert (len(bench.made(ours)), len(bench.made(theirs)), len(await bench.mailbox(theirs))) == (1, 0, 1)
    await other.release()
    await bench.sender.shift()
    assert (len(bench.made(theirs)), await bench.mailbox(theirs)) == (1, [])


async def test_who_was_frozen_while_chatwoot_answered_calls_nobody_and_writes_nothing_down(
    bench: Bench, pool: Pool
) -> None:
    """Chatwoot has it, the person is still due, and whoever sends now finds nothing else to say."""
    store = await bench.store()
    for number in range(1, 21):
        await bench.customer(store, f"c{number}")
        await bench.contact(store, number, customer_id=f"c{number}")
        await bench.change(store, f"c{number}")
    clock = Hand()
    process = Process(bench.process.settings, clock)
    await process.chatwoot.close()

    async def and_meanwhile_frozen(request: httpx.Request) -> httpx.Response:
        answer = await bench.api.answer(request)
        clock.seconds += 2 * LEASE_SECONDS
        return answer

    process.chatwoot = Chatwoot(process.settings, clock, CollectorRegistry(), Answering(and_meanwhile_frozen))
    frozen = AttributeSender(process, SenderMetrics(process.registry))
    try:
        await frozen.shift()
    finally:
        await process.close()
    assert len(bench.made(store)) < 20
    assert len(await bench.mailbox(store)) == 20
    await _run_out(bench.admin, f"https://{host(store)}")
    await bench.sender.shift()
    assert await bench.mailbox(store) == []
    assert {bench.api.attributes(host(store), number)["customer_tier"] for number in range(1, 21)} == {"Gold"}
