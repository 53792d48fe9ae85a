"""What the audit holds against each other besides the ledger: acknowledgements, losses, eras; and who looked at what."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from db.pool import Connection, Row

_ACKNOWLEDGED = "select topic, partition, cluster_id, accepted, highest_offset, updated_at from wootstream.acknowledged"
_LOSSES = """
select consumer_group as "group", topic, partition, first_offset, next_offset, noticed_at from wootstream.losses
where $1::timestamptz is null or noticed_at >= $1 order by consumer_group, topic, partition, first_offset
"""
_CLOSED = """
select consumer_group, topic, partition, max(closed_at) as closed_at from wootstream.ledger_history
group by consumer_group, topic, partition
"""
_NOTE = "insert into wootstream.audit_log (actor, source, action, organization_id, object) values ($1, $2, $3, $4, $5)"
_LATELY = "select action, count(*) as acts from wootstream.audit_log where at > now() - $1::interval group by action"
_NOTED = """
select l.at, l.actor, l.source, l.action, a.slug as store, l.object
from wootstream.audit_log l left join public.chatwoot_accounts a on a.organization_id = l.organization_id and a.account_status <> 'deleted'
where ($1::uuid is null or l.organization_id = $1) and ($2::timestamptz is null or l.at >= $2) order by l.at desc, l.id desc limit $3
"""


async def acknowledged(conn: Connection) -> Sequence[Row]:
    """What each ingress process saw acknowledged, by topic and partition."""
    return await conn.fetch(_ACKNOWLEDGED)


async def losses(conn: Connection, since: datetime | None) -> Sequence[Row]:
    """Ranges that were gone before a group read them, noticed since that moment."""
    return await conn.fetch(_LOSSES, since)


async def closed(conn: Connection) -> Sequence[Row]:
    """When the last era of a ledger row was closed by `offsets adopt`."""
    return await conn.fetch(_CLOSED)


async def now(conn: Connection) -> datetime:
    """PostgreSQL's clock, by which the ledger says when it moved."""
    moment: datetime = await conn.fetchval("select now()")
    return moment


async def note(conn: Connection, *, actor: str, source: str, action: str, store: UUID | None, thing: str) -> None:
    """Remember who changed something, or was shown personal data; nobody can take it back."""
    await conn.execute(_NOTE, actor, source, action, store, thing)


async def noted(conn: Connection, *, store: UUID | None, since: datetime | None, limit: int) -> Sequence[Row]:
    """The latest first, of the stores in scope and what concerns none."""
    return await conn.fetch(_NOTED, store, since, limit)


async def lately(conn: Connection, span: timedelta) -> Sequence[Row]:
    """How often each action was noted in that time, at the stores in scope and where it concerns none."""
    return await conn.fetch(_LATELY, span)
