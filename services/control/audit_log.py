"""`audit-log`: who changed something or was shown personal data, when, from where."""

from collections.abc import Sequence
from datetime import datetime

from db.pool import Row, scoped
from db.records import audit
from services.kernel.cli.environment import database, stores_named
from services.kernel.settings import Settings


async def read(settings: Settings, *, store: str | None, since: datetime | None, limit: int) -> Sequence[Row]:
    """The latest first, of one store or of all and what concerns none. Raises Refusal."""
    async with database(settings) as pool:
        named = await stores_named(pool, store)
        async with scoped(pool, named.values()) as conn:
            return await audit.noted(conn, store=named[store] if store else None, since=since, limit=limit)
