"""PostgreSQL as a service finds it."""

import asyncpg

from db import catalogue
from db.migrate import missing, newer
from db.pool import Connection, Pool
from services.control.doctor.seen import DatabaseSeen, RoleSeen
from services.kernel.clock import Clock
from services.kernel.settings import Settings


async def look(settings: Settings, pool: Pool, clock: Clock) -> DatabaseSeen:
    """Everything in one connection. Raises what PostgreSQL raises."""
    async with pool.acquire(timeout=10) as conn:
        asked = clock.now()
        server = await catalogue.server(conn)
        ahead = (asked + (clock.now() - asked) / 2 - server["now"]).total_seconds()
        absent = await missing(conn)
        return DatabaseSeen(
            version=server["version"],
            missing=absent,
            newer=await newer(conn),
            changed=await _changed(conn),
            roles=[RoleSeen(**row) for row in await catalogue.roles(conn)],
            unprotected=await catalogue.unprotected(conn),
            public=await catalogue.public_tables(conn),
            # Of a column that is not there yet nobody can ask who may read it.
            lacking=[] if absent else await catalogue.lacking_grants(conn),
            partitions_until=await catalogue.partitions_until(conn),
            ahead_seconds=ahead,
            read_only=server["read_only"],
            standby=server["standby"],
            encrypted=server["encrypted"],
            local=server["local"],
            pooled=pool.pooled,
            has_direct_url=settings.database_direct_url is not None,
            lowers_all=server["lowers_all"],
        )


async def _changed(conn: Connection) -> list[str]:
    try:
        return await catalogue.changed_migrations(conn)
    except asyncpg.UndefinedTableError:  # never migrated: all are missing
        return []
