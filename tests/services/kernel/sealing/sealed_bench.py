"""A store of one test's own that seals, and what its doors would seal with."""

from uuid import UUID

from db.pool import scoped
from services.kernel import Process, Settings
from services.kernel.sealing.planting import sealer_now
from services.kernel.sealing.sealer import Sealer
from tests.kernel_bench import Bench


async def sealer_of(bench: Bench) -> Sealer:
    """From now on the bench's store seals; by the trees that it has at this moment."""
    await bench.admin.execute("update public.chatwoot_accounts set seal = true where organization_id = $1", bench.store)
    return await sealer_on(bench.settings, bench.store)


async def sealer_on(settings: Settings, store: UUID) -> Sealer:
    """Of a store that seals."""
    process = Process(settings)
    try:
        async with scoped(process.pool(), {store}) as conn:
            sealer = await sealer_now(conn, store, process.secrets, process.clock.now())
    finally:
        await process.close()
    assert sealer
    return sealer
