"""`offsets`: where every group stands, and how to go on where a log is another one than it was."""

from db import ledger
from services.control.adoption import Adoption, planned
from services.control.audit import observe
from services.control.reckoning import reckon
from services.control.verdict import Line
from services.kernel.cli.environment import database
from services.kernel.errors import Refusal
from services.kernel.settings import Settings


async def show(settings: Settings, *, group: str | None = None, topic: str | None = None) -> list[Line]:
    """Ledger and log side by side, for all groups or some."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
    return [line for line in reckon(seen) if group in (None, line.group) and topic in (None, line.topic)]


async def plan(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None
) -> list[Adoption]:
    """What `adopt` would do: to that partition, or to every halted one of the group's topic. Raises Refusal."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
    return planned(seen, group=group, topic=topic, partition=partition, at=at)


async def adopt(
    settings: Settings, *, group: str, topic: str, partition: int | None = None, at: int | None = None, reason: str
) -> list[Adoption]:
    """Close the rows into their history and begin new ones. What is repeated then falls to the content keys."""
    async with database(settings) as pool:
        seen, _ = await observe(settings, pool)
        adoptions = planned(seen, group=group, topic=topic, partition=partition, at=at)
        async with pool.acquire(timeout=10) as conn, conn.transaction():
            places = await ledger.lock(conn, group, topic, [one.partition for one in adoptions])
            for one in adoptions:
                if places[one.partition].next_offset != one.next_offset:
                    raise Refusal(f"partition {one.partition} has moved meanwhile: look at it and decide again")
                for first, next_ in one.given_up:
                    await ledger.lose(conn, group, topic, one.partition, first=first, next_=next_)
                await ledger.adopt(
                    conn, group, topic, one.partition, cluster_id=seen.cluster.id, offset=one.at, reason=reason
                )
    return adoptions
