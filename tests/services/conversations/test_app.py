"""The service as it runs: real Kafka, the kernel's transaction and ledger, PostgreSQL."""

import asyncio
from collections import Counter

from db.pool import Pool, scoped
from services.conversations.app import add_to
from services.kernel import Process, Settings
from tests.eventually import eventually
from tests.recordings.parity import NAMES, compare_events
from tests.recordings.recorded import disordered
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.conversations import bench

RUN = "chatwoot-4.13.0"


async def test_shuffled_webhooks_through_kafka_become_chatwoots_rows(
    settings: Settings, topics: list[str], pool: Pool, admin_pool: Pool
) -> None:
    """30 % are repeated; the ledger counts each record once, as applied, duplicate or ignored, none as dead."""
    shops = await bench.install(admin_pool, RUN)
    given = bench.records(disordered(RUN, "5"), shops)
    process = Process(settings)
    add_to(process)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.publisher.connected)
    await asyncio.gather(*map(process.publisher.publish, given))

    await eventually(lambda: sum(outcomes(process, shops).values()) == len(given), seconds=40)
    process.stopping.set()
    await serving

    compared: Counter[str] = Counter()
    for shop in shops.values():
        async with scoped(pool, {shop.id}) as conn:
            compared += compare_events(RUN, shop.account, await bench.events_of(conn, shop.id))
    assert compared == {name: HELD[RUN][name] for name in NAMES}
    assert outcomes(process, shops)["dead"] == 0


def outcomes(process: Process, shops: dict[str, bench.Shop]) -> Counter[str]:
    """What became of these stores' records, as the metrics tell it."""
    told: Counter[str] = Counter()
    for shop in shops.values():
        for outcome in ("applied", "duplicate", "ignored", "dead"):
            labels = {"group": "conversations", "store": str(shop.id), "outcome": outcome}
            told[outcome] += int(process.registry.get_sample_value("wootstream_records_total", labels) or 0)
    return told
