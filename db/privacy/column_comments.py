"""What the tables say of their columns: the record of processing is read from the comments."""

from collections.abc import Sequence

from db.pool import Connection, Row

# A partition is its parent's matter.
_COLUMNS = """
select n.nspname || '.' || c.relname as table, a.attname as column, col_description(c.oid, a.attnum) as comment
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where n.nspname in ('public', 'wootstream') and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
order by 1, a.attnum
"""


async def columns(conn: Connection) -> Sequence[Row]:
    """Every column of ours: table, column, comment."""
    return await conn.fetch(_COLUMNS)
