"""Widget events, each once, and in the same statement their daily counts."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple
from uuid import UUID

from db.pool import Connection
from db.widget.daily import COUNT_INTO_DAYS

Key = tuple[UUID, datetime, UUID]

# One statement: what was there already is neither inserted nor counted.
_ADD = f"""
with added as (
insert into public.chatwoot_widget_events (organization_id, created_at, id, event_type, session_id, user_id, customer_id, page_url,
  user_agent, ip_address, referrer, load_time_ms, widget_version, event_data)
select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[],
  $9::text[], $10::inet[], $11::text[], $12::int[], $13::text[], $14::jsonb[]) order by 1, 2, 3
on conflict do nothing
returning organization_id, created_at, id, event_type, page_url, user_agent, load_time_ms, event_data
), counted as (
{COUNT_INTO_DAYS.format(events="added")}
on conflict (organization_id, day, event_type, page_group, device_class, load_ms) do update set
  events = d.events + excluded.events, failures = d.failures + excluded.failures
)
select organization_id, created_at, id from added
"""  # noqa: S608


class WidgetEventRow(NamedTuple):
    """The columns of _ADD; the first three are the key."""

    organization_id: UUID
    created_at: datetime
    id: UUID
    event_type: str
    session_id: str | None
    user_id: UUID | None
    customer_id: str | None
    page_url: str | None
    user_agent: str | None
    ip_address: IPv4Address | IPv6Address | None
    referrer: str | None
    load_time_ms: int | None
    widget_version: str | None
    event_data: dict[str, Any]


async def add(conn: Connection, rows: Sequence[WidgetEventRow]) -> set[Key]:
    """Keep events; the keys (store, moment, id) of those that were not known. One row a key."""
    found = await conn.fetch(_ADD, *(list(column) for column in zip(*rows, strict=True)))
    return {(row["organization_id"], row["created_at"], row["id"]) for row in found}
