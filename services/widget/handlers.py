"""Widget events → rows, each once."""

from collections.abc import Sequence

from db.pool import Connection
from db.widget import event_rows as table
from services.kernel import Record
from services.widget.events import WidgetPost


async def keep(conn: Connection, posts: Sequence[WidgetPost]) -> set[Record]:
    """A record is news when any of its events was; an event that came twice belongs to the record that came first."""
    first: dict[table.Key, tuple[Record, table.WidgetEventRow]] = {}
    for post in posts:
        for one in post.rows:
            # an event has one id, and a browser that was not answered sends it again in another POST
            first.setdefault((one.organization_id.int, one.id.int), (post.record, one))
    known = await table.add(conn, [one for _, one in first.values()])
    return {record for key, (record, _) in first.items() if key not in known}
