"""Whatever fails on the way, nobody is forgotten, and nobody else is delayed."""

import asyncio
import itertools
import uuid
from contextlib import suppress

import httpx
import pytest
from prometheus_client import CollectorRegistry

from db.people import pushes
from db.pool import scoped
from services.contacts.sending.contacts_api import SenderAccount, ServedChatwoot
from services.contacts.sending.leases import Lease, SenderLeases
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.round import Round
from services.contacts.sending.sender import AttributeSender
from services.kernel import Chatwoot
from tests.answering import Answering
from tests.eventually import PATIENCE_SECONDS
from tests.services.contacts.bench import Bench, host


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(503),
        httpx.ConnectError("down"),
        httpx.Response(401, json={"error": "x"}),
        pytest.param(httpx.Response(200, html="<p>maintenance</p>"), id="a proxy's page"),
        pytest.param(httpx.Response(404, html="<p>not here</p>"), id="a proxy's 404, which says nothing of a contact"),
        pytest.param(httpx.Response(302, headers={"location": "/login"}), id="a way to elsewhere"),
        pytest.param(
            httpx.Response(200, content=b'{"payload": {"id"', headers={"content-type": "application/json"}),
            id="JSON that is cut short",
        ),
    ],
)
async def test_an_outage_loses_nothing_and_a_store_at_rest_is_not_called(
    bench: Bench, fault: httpx.Response | Exception
) -> None:
    store = await bench.store()
    for number in range(1, 31):
        await bench.customer(store, f"c{number}")
        await bench.contact(store, number, customer_id=f"c{number}")
        await bench.change(store, f"c{number}")
    bench.api.fault = fault
    await bench.sender.shift()
    assert len(await bench.mailbox(store)) == 30
    assert len(bench.made(store)) <= 8  # those in flight when the first one failed
    bench.api.fault = None
    await bench.ripen(store)
    await bench.sender.shift()
    assert await bench.mailbox(store) == []
    assert {bench.api.attributes(host(store), number)["customer_tier"] for number in range(1, 31)} == {"Gold"}


async def test_one_stores_outage_does_not_delay_another(bench: Bench) -> None:
    down, well = await bench.store(), await bench.store()
    for store in (down, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    answer = bench.api.answer

    async def only_one_is_down(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.url.host == host(down) else await answer(request)

    bench.process.chatwoot = Chatwoot(
        bench.process.settings, bench.clock, CollectorRegistry(), Answering(only_one_is_down)
    )
    await bench.sender.shift()
    assert bench.api.attributes(host(well), 7)["customer_tier"] == "Gold"
    assert [row["attempts"] for row in await bench.mailbox(down)] == [1]


async def test_a_token_that_cannot_be_opened_stops_its_own_store_only(bench: Bench) -> None:
    sealed_elsewhere, well = await bench.store(), await bench.store()
    for store in (sealed_elsewhere, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    async with bench.admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set api_access_token = 'v1.x.x' where organization_id = $1",
            sealed_elsewhere,
        )
    await bench.sender.shift()
    assert (await bench.mailbox(well), len(await bench.mailbox(sealed_elsewhere))) == ([], 1)


async def test_a_refusal_is_written_down_and_not_repeated(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    bench.api.fault = httpx.Response(
        422, json={"message": "Telefonnummer ist ungültig", "attributes": ["phone_number"]}
    )
    await bench.change(store)
    await bench.sender.shift()
    await bench.sender.shift()
    async with scoped(bench.pool, {store}) as conn:
        error = await conn.fetchval("select sync_error from public.chatwoot_contacts where organization_id = $1", store)
    assert (error, len(bench.made(store))) == ("Chatwoot answers 422: phone_number", 1)


async def test_a_sender_that_died_after_chatwoots_answer_leaves_the_person_due(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    await bench.change(store)

    async def die(request: httpx.Request) -> httpx.Response:
        await bench.api.answer(request)
        raise asyncio.CancelledError

    process = bench.process
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(die))
    leases, base_url = SenderLeases(process), f"https://{host(store)}"
    assert await leases.hold([base_url]) == {base_url}
    served = ServedChatwoot(process, SenderMetrics(CollectorRegistry()), Lease(leases, base_url))
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await Round(served, {}, [await _account(bench, store)]).run()
    await leases.release()
    assert len(await bench.mailbox(store)) == 1
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(bench.api.answer))
    await AttributeSender(process, SenderMetrics(CollectorRegistry())).shift()
    assert bench.made(store)[0] == bench.made(store)[1]
    assert await bench.mailbox(store) == []


async def _account(bench: Bench, store: uuid.UUID) -> SenderAccount:
    async with scoped(bench.pool, {store}) as conn:
        return SenderAccount.of((await pushes.accounts(conn))[0])


_TURNS: dict[str, httpx.Response | Exception] = {
    "429": httpx.Response(429, text="Retry later"),
    "500": httpx.Response(500, json={"status": 500, "error": "Internal Server Error"}),
    "502": httpx.Response(502, html="<p>bad gateway</p>"),
    "reset": httpx.ReadError("connection reset by peer"),
    "half a body": httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "HTML": httpx.Response(200, html="<p>maintenance</p>"),
    "silence": httpx.ReadTimeout("no answer within the time"),
}


async def test_every_fault_by_turns_loses_no_change_and_holds_up_no_other_store(bench: Bench) -> None:
    """Each fault meets calls before Chatwoot has heard them, and after it has done as it was told."""
    bad, well = await bench.store(), await bench.store()
    for store in (bad, well):
        for number in range(1, 11):
            await bench.customer(store, f"c{number}")
            await bench.contact(store, number, customer_id=f"c{number}")
    faults = itertools.cycle(_TURNS.values())
    heard = itertools.cycle((True, False))

    async def by_turns(request: httpx.Request) -> httpx.Response:
        if request.url.host != host(bad):
            return await bench.api.answer(request)
        fault = next(faults)
        if next(heard):
            await bench.api.answer(request)
        if isinstance(fault, Exception):
            raise fault
        return fault

    process = bench.process
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(by_turns))
    for count in range(2, 2 + 2 * len(_TURNS)):
        for store in (bad, well):
            for number in range(1, 11):
                await bench.change(store, f"c{number}", order_count=count * number)
        await bench.ripen(bad)
        await bench.sender.shift()
        assert await bench.mailbox(well) == []
        assert [bench.api.attributes(host(well), number)["order_count"] for number in range(1, 11)] == [
            count * number for number in range(1, 11)
        ]
        assert len(await bench.mailbox(bad)) == 10
    process.chatwoot = Chatwoot(process.settings, bench.clock, CollectorRegistry(), Answering(bench.api.answer))
    await bench.ripen(bad)
    await bench.sender.shift()
    assert await bench.mailbox(bad) == []
    assert [bench.api.attributes(host(bad), number)["order_count"] for number in range(1, 11)] == [
        count * number for number in range(1, 11)
    ]
