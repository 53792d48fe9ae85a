"""What PostgreSQL's own catalogue says of us: its release, our roles, row security, grants and partitions."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from db.migrate import files
from db.pool import INGRESS, PRIVACY, SERVICE, Connection, Row
from db.stores import DOOR_COLUMNS

_SERVER = """
select current_setting('server_version_num')::int as version, clock_timestamp() as now,
  coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as encrypted,
  current_setting('transaction_read_only')::boolean as read_only, pg_is_in_recovery() as standby,
  lower('É') = 'é' as lowers_all,
  coalesce(inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1', true) as local
"""
_APPLIED = "select name, sha256 from wootstream.migrations"
_ROLES = """
select r.name, coalesce(p.rolsuper or p.rolbypassrls, false) as bypasses,
  p.oid is not null and pg_has_role(session_user, p.oid, 'member') as granted
from unnest($1::text[]) with ordinality as r (name, place) left join pg_roles p on p.rolname = r.name order by r.place
"""
# Partitions of the widget's events are nobody's to ask, and force theirs as well.
_UNPROTECTED = """
select c.oid::regclass::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
where c.relkind in ('r', 'p') and not a.attisdropped and not (c.relrowsecurity and c.relforcerowsecurity)
  and (c.relnamespace = to_regnamespace('wootstream') and c.relname <> 'members' or c.relname like 'chatwoot\\_%' and c.relnamespace = to_regnamespace('public'))
order by 1
"""
_PUBLIC = """
select distinct c.oid::regclass::text as name from pg_class c, aclexplode(c.relacl) g
where c.relkind in ('r', 'p', 'v') and (g.grantee = 0 or g.grantee = to_regrole('anon')::oid)
  and (c.relnamespace = to_regnamespace('wootstream') or c.relname like 'chatwoot\\_%' and c.relnamespace = to_regnamespace('public'))
order by 1
"""
_LACKING = """
select n.role || ': ' || n.privilege || ' on ' || n.relation || coalesce(' (' || n.columns || ')', '') as lacking
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as n (role, privilege, relation, columns)
where to_regrole(n.role) is null or to_regclass(n.relation) is null or not case when n.columns is null
  then has_table_privilege(n.role, n.relation, n.privilege)
  else (select bool_and(has_column_privilege(n.role, n.relation, name, n.privilege)) from unnest(string_to_array(n.columns, ',')) as name) end
order by 1
"""
_LAST_PARTITION = """
select max(substring(c.relname from 'chatwoot_widget_events_(\\d{6})$')) from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass('public.chatwoot_widget_events')
"""
_NEEDED: Sequence[tuple[str, str, str, str | None]] = (
    (INGRESS, "select", "public.chatwoot_accounts", ",".join(DOOR_COLUMNS)),
    (INGRESS, "insert", "wootstream.refusals", None),
    (INGRESS, "insert", "wootstream.acknowledged", None),
    (SERVICE, "select", "public.chatwoot_accounts", None),
    (SERVICE, "update", "wootstream.ledger", None),
    (SERVICE, "insert", "wootstream.ledger", None),
    (SERVICE, "insert", "wootstream.dead_letters", None),
    (SERVICE, "insert", "public.chatwoot_widget_events", None),
    (SERVICE, "update", "public.chatwoot_conversations", None),
    (SERVICE, "update", "public.chatwoot_contacts", None),
    (PRIVACY, "delete", "public.chatwoot_contacts", None),
    (PRIVACY, "delete", "public.chatwoot_widget_events", None),
)


async def server(conn: Connection) -> Row:
    """Release, clock, and whether this connection is encrypted or does not leave the machine."""
    row = await conn.fetchrow(_SERVER)
    assert row is not None
    return row


async def changed_migrations(conn: Connection) -> list[str]:
    """Names of those that were applied with other text than this release has."""
    texts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files()}
    rows = await conn.fetch(_APPLIED)
    return sorted(row["name"] for row in rows if texts.get(row["name"], row["sha256"]) != row["sha256"])


async def roles(conn: Connection) -> Sequence[Row]:
    """Our roles in the order of their power."""
    return await conn.fetch(_ROLES, [INGRESS, SERVICE, PRIVACY])


async def unprotected(conn: Connection) -> list[str]:
    """Tables of stores whose row security is not enabled and forced."""
    return await _names(conn, _UNPROTECTED)


async def public_tables(conn: Connection) -> list[str]:
    """Tables and views of ours that everybody, or people who are not logged in, may use."""
    return await _names(conn, _PUBLIC)


async def lacking_grants(conn: Connection) -> list[str]:
    """What a role needs for its daily work and has not."""
    rows = await conn.fetch(_LACKING, *(list(column) for column in zip(*_NEEDED, strict=True)))
    return [row["lacking"] for row in rows]


async def partitions_until(conn: Connection) -> datetime | None:
    """When the last month ends for which widget events can be kept."""
    month = await conn.fetchval(_LAST_PARTITION)
    if month is None:
        return None
    year, number = int(month[:4]), int(month[4:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


async def _names(conn: Connection, query: str) -> list[str]:
    return [row["name"] for row in await conn.fetch(query)]
