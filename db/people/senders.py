"""Leases of Chatwoots: which process sends to which, by PostgreSQL's clock."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from db.pool import Connection

# In one order, so that two processes lock rows alike. Whoever waited for a row looks at it again: of two that find a lease
# run out one gets it. Who holds it still is left alone, for even a conflict that changes nothing locks a row.
_TAKE = """
insert into wootstream.senders as s (base_url, holder, held_until)
select base_url, $2, clock_timestamp() + $3 from unnest($1::text[]) as asked (base_url)
where not exists (select from wootstream.senders o where o.base_url = asked.base_url and o.holder <> $2 and o.held_until > clock_timestamp())
order by base_url
on conflict (base_url) do update set holder = excluded.holder, held_until = clock_timestamp() + $3
  where s.holder = excluded.holder or s.held_until <= clock_timestamp()
returning base_url
"""
_RELEASE = "delete from wootstream.senders where holder = $1"


async def take(conn: Connection, holder: UUID, base_urls: Collection[str], lease: timedelta) -> set[str]:
    """Which of these are the holder's from now on for so long; the others are somebody else's."""
    return {row["base_url"] for row in await conn.fetch(_TAKE, list(base_urls), holder, lease)}


async def release(conn: Connection, holder: UUID) -> None:
    """Whoever asks next gets them."""
    await conn.execute(_RELEASE, holder)
