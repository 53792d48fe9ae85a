"""Widget events → rows, each once."""

from collections.abc import Sequence
from functools import partial
from operator import attrgetter

from db.pool import Connection
from db.widget import event_rows as table
from db.widget.binary_rows import WidgetEventRow, encoded
from services.kernel import Record
from services.kernel.consent.analytics import AsksWithdrawn, nobody_withdrew
from services.widget.events import WidgetPost, names

_STORE_NAME = attrgetter("record.store_name")


async def keep(
    conn: Connection, posts: Sequence[WidgetPost], withdrawn: AsksWithdrawn[table.Key] = nobody_withdrew
) -> set[Record]:
    """A record is news when any of its events was; an event that came twice belongs to the record that came first.

    `withdrawn` says which are of somebody who has taken their consent back since: they are counted, and name nobody."""
    rows: dict[table.Key, WidgetEventRow] = {}
    firsts: list[tuple[Record, list[table.Key]]] = []
    pieces: list[bytes] = []
    for post in sorted(posts, key=_STORE_NAME):  # a store's rows lie near each other in the indexes
        # an event has one id, and a browser that was not answered sends it again in another POST
        keys = [key for one in post.rows if rows.setdefault(key := _key(one), one) is one]
        firsts.append((post.record, keys))
        pieces.append(post.encoded if len(keys) == len(post.rows) else encoded(map(rows.__getitem__, keys)))
    seen = ((key, one.organization_id, one.created_at, partial(names, one)) for key, one in rows.items())
    stores = {post.record.store for post in posts}
    unnamed = [(rows[key].organization_id, rows[key].id) for key in await withdrawn(conn, stores, seen)]
    known = await table.add(conn, [*rows.values()], pieces=pieces, unnamed=unnamed)
    return {record for record, keys in firsts if not known.issuperset(keys)}


def _key(row: WidgetEventRow) -> table.Key:
    return row.organization_id.int, row.id.int
