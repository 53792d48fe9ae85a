"""Keys of the months to come, for the stores that seal their records; those of months that are over are destroyed."""

from uuid import UUID

from db import stores
from db.pool import PRIVACY, scoped
from services.kernel import Process
from services.kernel.every import each
from services.kernel.sealing.planting import tend


async def turn(process: Process) -> bool:
    """Every store, each in a transaction of its own."""

    async def look(store: UUID) -> None:
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await tend(conn, store, process.secrets, process.clock.now())

    await each(sorted(await stores.all_ids(process.pool(PRIVACY))), look)
    return False
