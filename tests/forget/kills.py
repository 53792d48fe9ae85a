"""Erasures that are killed (SIGKILL) at each step, as it begins and before it commits, or whenever; and then go on."""

import asyncio
import random
import signal
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from db.pool import PRIVACY, scoped, use_json
from db.privacy import requests
from services.kernel import Record
from services.privacy import worker
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.eventually import eventually
from tests.forget.dying import BEGINS
from tests.forget.opening import openable
from tests.forget.people import Visitor
from tests.forget.scene import Scene
from tests.forget.search import hits
from tests.programs.forked import Program, start

MOMENTS = [("marked", "worked"), *((step, moment) for step in erasure.STEPS for moment in ("begun", "worked"))]


async def killed(scene: Scene, moments: Sequence[tuple[str, str]], mark: str) -> list[tuple[str, str, int]]:
    """Step, moment and the hits that were left once the erasure had gone on, of each kill."""
    results = []
    for number, (step, moment) in enumerate(moments):
        visitor = Visitor(scene.store, f"kill{number}{mark}", 61_000_000 + number)
        await _known(scene, visitor)
        records = await scene.as_doors_take(visitor.told("killed"))
        before = await hits(scene.url, [visitor.mark])
        assert before, "a search that finds nobody shows nothing"
        code = await _erased_until(scene, visitor, step, moment)
        assert code == -signal.SIGKILL, code
        async with scene.sending() as process:
            for row in await worker.open_requests(process):
                waiting = await worker.go_on(process, row)
                assert not waiting, waiting
            if step == "marked":  # it was never begun
                assert await hits(scene.url, [visitor.mark]) == before
                begun = await erasure.begin(process, scene.store, meant(visitor.email))
                assert not await erasure.carry_on(begun)
        results.append((step, moment, await _left(scene, visitor, records)))
    return results


class Kill(NamedTuple):
    """One at a moment that nobody chose: how long it ran, how many steps it had done, the hits at the end."""

    seconds: float
    steps: int
    hits: int


async def killed_whenever(scene: Scene, count: int, seed: int, mark: str) -> list[Kill]:
    """So many, each at another moment of the time that one takes which is left alone."""
    chance, results = random.Random(seed), list[Kill]()
    whole = await _seconds_undisturbed(scene, Visitor(scene.store, f"whole{mark}", 62_000_100))
    for number in range(count):
        visitor = Visitor(scene.store, f"any{number}{mark}", 62_000_101 + number)
        await _known(scene, visitor)
        records = await scene.as_doors_take(visitor.told("killed"))
        assert await hits(scene.url, [visitor.mark]), "a search that finds nobody shows nothing"
        seconds = chance.uniform(0, whole)
        dying = await _dying(scene, visitor, "any", "whenever")
        await _begins(scene, visitor)
        try:
            await asyncio.wait_for(dying.wait(), seconds)
        except TimeoutError:
            dying.kill()
        await dying.wait()
        steps = await _gone_on(scene, visitor)
        results.append(Kill(round(seconds, 3), steps, await _left(scene, visitor, records)))
    return results


async def _left(scene: Scene, visitor: Visitor, records: Sequence[Record]) -> int:
    """Rows that name them, and records about them that can be opened, where the store seals."""
    rows = (await hits(scene.url, [visitor.mark, str(visitor.number)])).total()
    return rows + (await openable(scene, records) if records[0].is_closed else 0)


async def _gone_on(scene: Scene, visitor: Visitor) -> int:
    """What waits is done; who was killed before the mark begins anew. How many steps had been done."""
    async with scene.sending() as process:
        waiting = await worker.open_requests(process)
        async with scoped(process.pool(PRIVACY), {scene.store}) as conn:
            done = [await requests.steps_done(conn, scene.store, row["id"]) for row in waiting]
        for row in waiting:
            reasons = await worker.go_on(process, row)
            assert not reasons, reasons
        if waiting:
            return sum(map(len, done))
        if not await hits(scene.url, [visitor.mark]):
            return len(erasure.STEPS) + 1
        assert not await erasure.carry_on(await erasure.begin(process, scene.store, meant(visitor.email)))
        return 0


async def _seconds_undisturbed(scene: Scene, visitor: Visitor) -> float:
    await _known(scene, visitor)
    dying = await _dying(scene, visitor, "any", "whenever")
    await _begins(scene, visitor)
    began = time.monotonic()
    assert await asyncio.wait_for(dying.wait(), 120) == 0
    return time.monotonic() - began


async def _erased_until(scene: Scene, visitor: Visitor, step: str, moment: str) -> int:
    dying = await _dying(scene, visitor, step, moment)
    return await asyncio.wait_for(dying.wait(), 120)


async def _dying(scene: Scene, visitor: Visitor, step: str, moment: str) -> Program:
    environment = {
        "DATABASE_URL": scene.url,
        "KAFKA_BOOTSTRAP_SERVERS": scene.settings.kafka_bootstrap_servers or "",
        "WOOTSTREAM_DATA_DIRECTORY": str(scene.settings.data_directory),
        "PATH": "",
    }
    asked = (str(scene.store), visitor.email, step, moment)
    return await start("tests.forget.dying", *asked, env=environment, log=_log(scene, visitor))


async def _begins(scene: Scene, visitor: Visitor) -> None:
    await eventually(lambda: BEGINS in _log(scene, visitor).read_text())


def _log(scene: Scene, visitor: Visitor) -> Path:
    return scene.settings.data_directory / f"dying-{visitor.number}.log"


async def _known(scene: Scene, visitor: Visitor) -> None:
    """Rows as the consumers leave them, and a letter."""
    rows: list[tuple[str, dict[str, Any]]] = [
        ("wootstream.customers", {"customer_id": visitor.customer, "email": visitor.email, "name": visitor.mark}),
        ("wootstream.orders", {"order_id": f"o-{visitor.mark}", "customer_id": visitor.customer}),
        ("public.chatwoot_contacts", {
            "chatwoot_account_id": 3, "chatwoot_contact_id": visitor.number, "email": visitor.email,
            "customer_id": visitor.customer,
        }),
        ("wootstream.conversations", {"conversation_id": visitor.number % 1_000 + 5_000, "contact_id": visitor.number}),
        ("wootstream.due", {"person": f"customer:{visitor.customer}"}),
        ("wootstream.dead_letters", {
            "consumer_group": uuid.uuid4().hex, "topic": "t", "partition": 0, "era": 1, "record_offset": 1,
            "kind": "unreadable", "reason": "r", "value_bytes": 9, "record_value": visitor.email.encode(),
        }),
    ]  # fmt: skip
    conn: Any = await asyncpg.connect(scene.url, timeout=30)
    try:
        await use_json(conn)
        for table, columns in rows:
            values = {"organization_id": scene.store, **columns}
            holes = ", ".join(f"${at}" for at in range(1, len(values) + 1))
            await conn.execute(f"insert into {table} ({', '.join(values)}) values ({holes})", *values.values())  # noqa: S608
    finally:
        await conn.close()
