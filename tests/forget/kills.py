"""Erasures that are killed (SIGKILL) at each step, as it begins and before it commits, and then go on."""

import asyncio
import signal
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from db.pool import use_json
from services.privacy import worker
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.forget.people import Visitor
from tests.forget.scene import Scene
from tests.forget.search import hits

MOMENTS = [("marked", "worked"), *((step, moment) for step in erasure.STEPS for moment in ("begun", "worked"))]
_ROOT = Path(__file__).parent.parent.parent


async def killed(scene: Scene, moments: Sequence[tuple[str, str]], mark: str) -> list[tuple[str, str, int]]:
    """Step, moment and the hits that were left once the erasure had gone on, of each kill."""
    results = []
    for number, (step, moment) in enumerate(moments):
        visitor = Visitor(scene.store, f"kill{number}{mark}", 61_000_000 + number)
        await _known(scene, visitor)
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
        results.append((step, moment, (await hits(scene.url, [visitor.mark, str(visitor.number)])).total()))
    return results


async def _erased_until(scene: Scene, visitor: Visitor, step: str, moment: str) -> int:
    environment = {
        "DATABASE_URL": scene.url,
        "KAFKA_BOOTSTRAP_SERVERS": scene.settings.kafka_bootstrap_servers or "",
        "WOOTSTREAM_DATA_DIRECTORY": str(scene.settings.data_directory),
        "PATH": "",
    }
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.forget.dying", str(scene.store), visitor.email, step, moment, cwd=_ROOT,
        env=environment,
    )  # fmt: skip
    return await asyncio.wait_for(dying.wait(), 120)


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
