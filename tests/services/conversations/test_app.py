"""The service as it runs: real Kafka, the kernel's transaction and ledger, PostgreSQL."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from db.pool import Pool, scoped
from local.chatwoot.app import app
from local.chatwoot.double import Double
from local.chatwoot.seed import add_account
from schemas.topics import WEBHOOKS
from services.conversations.app import add_to
from services.conversations.chatwoot.account_reader import AccountReader, reader_of
from services.conversations.chatwoot.import_history import HistoryImport
from services.kernel import Process, Settings
from tests.eventually import eventually
from tests.newest import begin_at_the_end
from tests.publishing import publish_all
from tests.recordings.parity import NAMES, compare_events
from tests.recordings.recorded import disordered, rows
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.conversations import bench
from tests.services.conversations.asked_api import answered_by, give_token
from tests.services.conversations.recorded_api import RecordedApi

RUN = "chatwoot-4.13.0"


@pytest.fixture(scope="module")
async def process(settings: Settings, admin_pool: Pool, topics: list[str]) -> AsyncIterator[Process]:
    """A process that runs the service; Chatwoot's API is that of the recorded run."""
    await begin_at_the_end(settings, admin_pool, {"conversations": WEBHOOKS})
    process = Process(settings)
    await answered_by(process, RecordedApi(RUN).transport)
    add_to(process)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.publisher.connected)
    yield process
    process.stopping.set()
    await serving


async def test_shuffled_webhooks_through_kafka_become_chatwoots_rows(
    process: Process, pool: Pool, admin_pool: Pool
) -> None:
    """30 % are repeated; the ledger counts each record once, as applied, duplicate or ignored, none as dead."""
    shops = await bench.install(admin_pool, RUN)
    given = bench.records(disordered(RUN, "5"), shops)
    await publish_all(process.publisher, given)

    await eventually(lambda: sum(outcomes(process, shops).values()) == len(given))

    compared: Counter[str] = Counter()
    for shop in shops.values():
        async with scoped(pool, {shop.id}) as conn:
            compared += compare_events(RUN, shop.account, await bench.events_of(conn, shop.id))
    assert compared == Counter({name: HELD[RUN][name] for name in NAMES})
    assert outcomes(process, shops)["dead"] == 0


async def test_interrupted_import_goes_on_and_reads_each_conversation_once(
    process: Process, pool: Pool, admin_pool: Pool
) -> None:
    """Cancelled in the middle, as Ctrl-C does; the second run asks only for what is left, a third one for nothing."""
    shops = await bench.install(admin_pool, RUN)
    shop = shops["amsel-nord"]
    api, account = await asked(process, pool, admin_pool, shop)
    held = {row["conversation"] for row in rows(RUN, "conversations", shop.account)}

    def stop(done: int, _of: int) -> None:
        if done >= 12:
            first.cancel()

    first = asyncio.create_task(HistoryImport(process, account).run(stop))
    with pytest.raises(asyncio.CancelledError):
        await first
    second = await HistoryImport(process, account).run(lambda *_: None)
    assert await HistoryImport(process, account).run(lambda *_: None) == 0

    read = Counter(call for call in api.calls if call.endswith("/messages"))
    assert 0 < second < len(held)
    assert (len(read), max(read.values())) == (len(held), 1)
    await eventually(lambda: sum(outcomes(process, shops).values()) == len(held))
    async with scoped(pool, {shop.id}) as conn:
        states = await bench.states_of(conn, shop.id)
        marked = await conn.fetchval("select count(*) from wootstream.chatwoot_reporting_events where approximate")
    assert states.keys() == held
    assert marked >= sum(state.status == "resolved" for state in states.values()) > 0


async def test_long_conversation_is_imported_whole(process: Process, pool: Pool, admin_pool: Pool) -> None:
    """The API tells a hundred messages at a time; its account has one conversation of 250 and nothing else."""
    double, store = Double(), uuid.uuid4()
    agent = next(iter(add_account(double, 7, token="token").members))
    transport = httpx.ASGITransport(app(double))
    await talk_at_length(transport, messages=250)
    await answered_by(process, transport)
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, store, account=7)
    await give_token(admin_pool, process, store)
    async with scoped(pool, {store}) as conn:
        account = await reader_of(conn, process, store)

    assert await HistoryImport(process, account, everything=True).run(lambda *_: None) == 1

    counts = await eventually(lambda: look(pool, store, "select counts from wootstream.conversations"))
    assert counts == {"messages": 250, "incoming": 125, "human": 125, "outgoing": 125}
    assert await look(pool, store, _FIRST) == agent


async def talk_at_length(transport: httpx.AsyncBaseTransport, *, messages: int) -> None:
    """A customer and an agent take turns, through the API of account 7."""
    base_url, headers = "http://chatwoot/api/v1/accounts/7", {"api_access_token": "token"}
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as client:
        inbox = (await client.post("/inboxes", json={"name": "Orders", "channel": {"type": "api"}})).json()["id"]
        contact = (await client.post("/contacts", json={"name": "Ada"})).json()["payload"]["contact"]["id"]
        begun = await client.post("/conversations", json={"inbox_id": inbox, "contact_id": contact})
        for number in range(messages):
            kind = "outgoing" if number % 2 else "incoming"
            message = {"content": "a text", "message_type": kind}
            (await client.post(f"/conversations/{begun.json()['id']}/messages", json=message)).raise_for_status()


async def look(pool: Pool, store: uuid.UUID, query: str) -> Any:
    async with scoped(pool, {store}) as conn:
        return await conn.fetchval(query)


_FIRST = "select user_id from wootstream.chatwoot_reporting_events where name = 'first_response'"


async def asked(process: Process, pool: Pool, admin: Pool, shop: bench.Shop) -> tuple[RecordedApi, AccountReader]:
    """A store whose API tells, and what it was asked."""
    api = RecordedApi(RUN)
    await answered_by(process, api.transport)
    await give_token(admin, process, shop.id)
    async with scoped(pool, {shop.id}) as conn:
        return api, await reader_of(conn, process, shop.id)


def outcomes(process: Process, shops: dict[str, bench.Shop]) -> Counter[str]:
    """What became of these stores' records, as the metrics tell it."""
    outcomes: Counter[str] = Counter()
    for shop in shops.values():
        for outcome in ("applied", "duplicate", "ignored", "dead"):
            labels = {"group": "conversations", "store": str(shop.id), "outcome": outcome}
            outcomes[outcome] += int(process.registry.get_sample_value("wootstream_records_total", labels) or 0)
    return outcomes
