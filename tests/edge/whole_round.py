"""`make edge`: the real nginx before two ingresses, the real Prometheus beside them, and who is told by Alertmanager.

One round: nobody refused while nginx is reloaded and an ingress is rolled; every rule
loads, every panel answers; a silent store, a lag and a halted partition are told of.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from db.pool import Pool
from local.demo.visitors import PageVisitor
from local.stack.machine.ports import HOST
from schemas import topics as all_topics
from services.kernel import Clock, Settings
from tests.clients.clients import Absent
from tests.edge.ingresses import Ingresses
from tests.edge.monitoring.test_alerts import KAFKA, NODE, POSTGRES, RULES
from tests.edge.monitoring.watching import Watch, exporters, panels, watched
from tests.edge.real_nginx import NAME, Edge, edge
from tests.edge.sending import NUMBERS, kept_lines, message, waited, webhooks
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.ingress.bench import ORIGIN, Shop, held, open_shop, post_webhook
from tests.services.ingress.running import running
from tests.topics import make_again

_FLOOD, _FLOOD_SECONDS = 5_000, 8
_SLOW_SENDERS = 200
_ROLL_SENDERS = 4
_SILENT = "StoreIsSilentForADay"
_SHORTER = {
    _SILENT: {"[7d]": "[10m]", "[1d]": "[15s]", "for": "1s"},
    "ConsumerLags": {"> 60": "> 3", "for": "1s"},
    "PartitionIsHalted": {"for": "1s"},
}
_DEADLINE = 60.0  # no claim: a machine with other work


async def roll(front: Edge, ingresses: Ingresses, shop: Shop) -> tuple[int, list[int]]:
    """Each webhook on a new connection, as Chatwoot's, while nginx is reloaded and both ingresses are rolled."""
    done, statuses = asyncio.Event(), list[int]()

    async def send() -> None:
        while not done.is_set():
            body = message()
            async with front.client() as client:
                try:
                    statuses.append((await post_webhook(client, shop, body, at=datetime.now(UTC))).status_code)
                except httpx.HTTPError:
                    statuses.append(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(_ROLL_SENDERS):
            group.create_task(send())
        for number in (0, 1):
            front.reload()
            await ingresses.stop(number)
            await ingresses.start(number)
        front.reload()
        enough = len(statuses) + 100
        await eventually(lambda: len(statuses) > enough)
        done.set()
    return len(statuses), [status for status in statuses if status != 204]


async def slow_senders(front: Edge, shop: Shop) -> int:
    """Connections that say a part of their body and no more hinder nobody: status of a webhook beside them."""
    head = f"POST {shop.door} HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 4000000\r\n\r\n".encode()
    async with AsyncExitStack() as stack:
        for _ in range(_SLOW_SENDERS):
            _, writer = await asyncio.open_connection(HOST, front.port, ssl=front.context(), server_hostname=NAME)
            stack.callback(writer.transport.abort)
            stack.callback(writer.close)  # before it: callbacks run from the last to the first
            writer.write(head + b" " * 1000)
            await writer.drain()
        async with front.client() as client:
            body = message()
            return (await post_webhook(client, shop, body, at=datetime.now(UTC))).status_code


async def told(watch: Watch, name: str, status: str = "firing") -> Mapping[str, str]:
    """The labels of the alert, once Alertmanager has told of it."""
    await eventually(lambda: bool(watch.fired(name, status)), _DEADLINE)
    labels: Mapping[str, str] = watch.fired(name, status)[0]["labels"]
    return labels


async def test_round(
    settings: Settings,
    topics: list[str],
    admin_pool: Pool,
    database_url: str,
    tmp_path: Path,
) -> None:
    shop = await open_shop(admin_pool, settings)
    ingresses = Ingresses(settings, tmp_path)
    say, before = _sayer(), next(NUMBERS)
    async with AsyncExitStack() as stack:
        for number in (0, 1):
            await ingresses.start(number)
            stack.push_async_callback(ingresses.stop, number)
        (tmp_path / "rest").mkdir()
        rest = await stack.enter_async_context(
            running(
                settings, tmp_path / "rest", "conversations", "widget", "customers", "contacts", "control", "privacy",
                WOOTSTREAM_API_TOKEN="a-token-of-the-operator", WOOTSTREAM_LOG_LEVEL="info",
            )
        )  # fmt: skip
        try:
            front = await stack.enter_async_context(edge(tmp_path / "edge", *ingresses.addresses))
            others = await stack.enter_async_context(exporters(tmp_path / "exporters", database_url))
            ours = {"wootstream": [*ingresses.addresses, rest.address.removeprefix("http://")]}
            watch = await stack.enter_async_context(watched(tmp_path / "watch", {**ours, **others}, _SHORTER))
        except Absent as absent:
            pytest.skip(str(absent))

        await eventually(lambda: _all_up(watch))
        rules = await eventually(lambda: _rules_well(watch))
        say("targets", len(await watch.targets()), "up, rules that are well:", len(rules))
        await _visit(front, shop, rest.address)

        async with kept_lines(front) as lines:
            with _standing_still(rest.pid):  # nobody reads, for longer than the alert waits
                await waited(lines, webhooks(shop, _FLOOD), _FLOOD / _FLOOD_SECONDS)
        lag = await told(watch, "ConsumerLags")
        say("told:", lag["alertname"], lag["group"], lag["topic"])

        say("slow senders", _SLOW_SENDERS, "a webhook beside them:", status := await slow_senders(front, shop))
        assert status == 204
        sent, refused = await roll(front, ingresses, shop)
        say("nginx reloaded 3 times, both ingresses rolled:", sent, "webhooks,", len(refused), "refused")
        assert refused == []
        expected = next(NUMBERS) - before - 1  # each that was made was answered 204
        kept = await held(settings, all_topics.WEBHOOKS, shop.id)
        say("kept in Kafka:", len(kept), "of", expected)
        assert len(kept) >= expected
        await eventually(lambda: _read(database_url, expected))
        await told(watch, "ConsumerLags", "resolved")
        say("all read, and told that nothing lags")

        await _visit(front, shop, rest.address)  # what the doors of before counted went with them
        await eventually(lambda: _all_answer(watch), _DEADLINE)
        say("panels that answer:", len(panels()), "of", len(panels()))
        foreign = 'count by (__name__) ({__name__=~"node_.+|pg_.+|kafka_.+|jvm_.+|wootstream_backup.*"})'
        known = {one["metric"]["__name__"] for one in await watch.ask(foreign)}
        assert known >= NODE | POSTGRES | KAFKA | {"wootstream_backup_timestamp_seconds"}

        await _calm(watch)
        firing = f'ALERTS{{alertname="{_SILENT}",alertstate="firing",store="{shop.id}"}}'
        await eventually(lambda: _answers(watch, firing))
        silence = await told(watch, _SILENT)
        assert silence["store"] == str(shop.id)
        say("told:", silence["alertname"], silence["promise"])
        await _post(front, shop, 5)
        await told(watch, _SILENT, "resolved")
        say("told that the store speaks again")

        await _calm(watch)
        await make_again(settings, all_topics.WEBHOOKS)
        halted = await told(watch, "PartitionIsHalted")
        say("told:", halted["alertname"], halted["group"], halted["topic"])
        assert halted["topic"] == all_topics.WEBHOOKS.name


async def _answers(watch: Watch, expression: str) -> bool:
    return bool(await watch.ask(expression))


async def _calm(watch: Watch) -> None:
    """What was told before is none of what follows: nothing lags or stands still, and nobody has been told of it."""

    async def calm() -> bool:
        return not await watch.ask('ALERTS{alertname=~"ConsumerLags|PartitionIsHalted",alertstate="firing"}')

    await eventually(calm)
    watch.told[:] = [one for one in watch.told if one["status"] == "firing" and one["labels"]["alertname"] == _SILENT]


@contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _sayer() -> Callable[..., None]:
    began = time.monotonic()
    return lambda *words: print(f"edge {time.monotonic() - began:5.0f} s ", *words, flush=True)


async def _all_up(watch: Watch) -> bool:
    health = await watch.targets()
    return bool(health) and set(health.values()) == {"up"}


async def _all_answer(watch: Watch) -> bool:
    silent = {name: expression for name, expression in panels().items() if not await watch.ask(expression)}
    assert silent == {}
    return True


async def _rules_well(watch: Watch) -> list[str]:
    found = await watch.rules()
    assert {rule["name"] for rule in found} == {rule["alert"] for rule in RULES}
    assert {rule["health"] for rule in found} == {"ok"}
    return [rule["name"] for rule in found]


async def _visit(front: Edge, shop: Shop, control: str) -> None:
    """A page, a beacon, a question to the API: the panels of what is seldom have something to show."""
    async with front.client() as client:
        visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
        await visitor.arrive()
        assert (await visitor.report(visitor.event("page_viewed", page_url=f"{ORIGIN}/"))).status_code == 204
    async with httpx.AsyncClient(base_url=control, timeout=PATIENCE_SECONDS) as client:
        bearer = {"authorization": "Bearer a-token-of-the-operator"}
        assert (await client.get("/api/stores", headers=bearer)).status_code == 200


async def _post(front: Edge, shop: Shop, count: int) -> None:
    async with front.client() as client:
        for _ in range(count):
            assert (await post_webhook(client, shop, message(), at=datetime.now(UTC))).status_code == 204


async def _read(database_url: str, count: int) -> bool:
    """Whether the group has read so many."""
    conn = await asyncpg.connect(database_url, timeout=30)
    try:
        read = await conn.fetchval("select sum(consumed) from wootstream.ledger where consumer_group = 'conversations'")
    finally:
        await conn.close()
    return int(read or 0) >= count
