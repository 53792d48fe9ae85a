"""kill -9 before Chatwoot has heard a call, after it has done as told, and after it has answered: each ends right."""

from pathlib import Path

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.chaos.contacts.front import Front
from tests.chaos.contacts.shop import Shop, run_out, sending
from tests.chaos.processes import Worker, started
from tests.databases import waiting_for_locks
from tests.eventually import eventually


async def _killed_in_the_call(worker: Worker, front: Front, when: str) -> None:
    front.hold(when)
    await worker.start()
    await eventually(front.reached.is_set)
    await worker.kill()
    front.held = None
    front.go_on.set()
    # Else the call that was held now would be taken for the next stage's, whose worker would die before it called.
    await eventually(lambda: front.calls[-1].ended > 0)


async def _killed_after_the_answer(worker: Worker, shop: Shop, admin: Pool) -> None:
    """It has heard Chatwoot, and waits for the row in which it would write that down."""
    async with admin.acquire() as conn, conn.transaction():
        await conn.execute("select from public.chatwoot_contacts where organization_id = $1 for update", shop.store)
        await worker.start()

        async def waits_for_the_row() -> bool:
            async with admin.acquire() as other:
                return await waiting_for_locks(other, "chatwoot_contacts set cached_attributes") > 0

        await eventually(waits_for_the_row)
        await worker.kill()


@pytest.mark.usefixtures("topics")
async def test_a_sender_killed_at_every_stage_of_a_call_ends_right(
    settings: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path
) -> None:
    worker = sending(settings, tmp_path / "log", per_second=40.0)
    async with Front().listening() as front, started():
        shop = Shop(pool, front, 1)
        await shop.open(admin_pool, settings)
        try:
            for stage in ("before", "after", "answered"):
                await shop.orders([1])
                if stage == "answered":
                    await _killed_after_the_answer(worker, shop, admin_pool)
                else:
                    await _killed_in_the_call(worker, front, stage)
                await run_out(admin_pool, front)
            before = len(front.calls)
            await worker.start()
            await eventually(shop.all_know)
            assert await worker.stop() == 0
        finally:
            await worker.end()
    # Of the last stage Chatwoot had it already: it is told the same once more.
    assert (before, len(front.calls)) == (3, 4)
    assert front.held_by(1) == 3
