"""What may be missing in a store's figures: changes lost on their way, moments that only the API told, records to come."""

from collections.abc import Sequence
from uuid import UUID

from db.pool import Connection, Row

# Sums of what the heads keep, so that a report need not walk through the facts.
_DOUBTS = """
select coalesce(sum(lost_changes), 0)::int as lost_changes, coalesce(sum(approximate), 0)::int as approximate,
  coalesce(sum(unknown_openers), 0)::int as unknown_openers, count(not_reckoned_since)::int as not_reckoned,
  (select count(*)::int from wootstream.imported i where i.organization_id = $1) as imported
from wootstream.conversations where organization_id = $1
"""
# Of several ingresses the highest: each knows only what was acknowledged to itself.
_PROGRESS = """
select l.partition, l.next_offset, l.anchor_id, a.highest_offset
from wootstream.ledger l left join (
  select partition, max(highest_offset) as highest_offset
  from wootstream.acknowledged where topic = $2 group by partition
) a on a.partition = l.partition
where l.consumer_group = $1 and l.topic = $2
"""

# An ingress says every ten seconds what was acknowledged to it, and what waits on its disk, also when that is the same.
_DOORS = """
select (select max(alive_at) from wootstream.acknowledged) as told_at, (select min(oldest_at) from wootstream.spooled) as spooled_at
"""


async def doubts(conn: Connection, organization: UUID) -> Row:
    """Status changes known to have been lost on their way, turns of which only the API told, openings by nobody known,
    conversations that are too long to be reckoned."""
    row = await conn.fetchrow(_DOUBTS, organization)
    assert row is not None
    return row


async def progress(conn: Connection, *, group: str, topic: str) -> Sequence[Row]:
    """Per partition: how far the group is, and how far ingress saw records acknowledged."""
    return await conn.fetch(_PROGRESS, group, topic)


async def doors(conn: Connection) -> Row:
    """When an ingress last told what was acknowledged, and when the oldest was accepted of what waits for Kafka."""
    row = await conn.fetchrow(_DOORS)
    assert row is not None
    return row
