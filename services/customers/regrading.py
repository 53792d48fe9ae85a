"""Figures that move without an event: a store's rules changed, an order grew older than a year that counts, or left."""

from db import stores
from db.people import customers as table
from db.pool import scoped
from services.customers import handlers
from services.kernel import Process

_STEP = 200  # customers reckoned in one transaction


async def turn(process: Process) -> bool:
    """One step of each; True if there may be more to do."""
    async with scoped(process.pool(), ()) as conn:
        everyone = await stores.ids(conn)
    async with scoped(process.pool(), everyone) as conn:
        aged = await table.outdated(conn, _STEP) or await table.aged(conn, _STEP)
        if aged:
            await handlers.reckon_again(conn, aged)
    async with scoped(process.pool(), everyone) as conn:
        behind = await table.behind(conn)
        if behind is None:
            return bool(aged)
        store, after = behind["organization_id"], behind["tiers_after"]
        people = await table.next_customers(conn, store, after, _STEP)
        if people:
            await handlers.reckon_again(conn, people)
        await table.tiers_after(conn, store, after, people[-1][1] if people else None)
    return True
