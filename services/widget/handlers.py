"""Widget events → rows, each once."""

from collections.abc import Iterable, Sequence
from functools import partial
from operator import attrgetter

from db.pool import Connection
from db.widget import event_rows as table
from db.widget.binary_rows import WidgetEventRow, encoded
from services.kernel import Record
from services.kernel.consent.analytics import AsksWithdrawn, nobody_withdrew
from services.widget.events import WidgetPost, names

_REMEMBERED = 100_000  # twice that at the most, of 100 bytes each
_STORE_NAME = attrgetter("record.store_name")


class RecentEvents:
    """Which events this process saw lately: a repeat of a browser or a spool comes soon, and to the same partition."""

    def __init__(self) -> None:
        self._younger, self._older = set[int](), set[int]()

    def are_new(self, ids: Iterable[int]) -> bool:
        """Whether none of them was asked about lately; from now on they were."""
        asked = {*ids}
        new = self._younger.isdisjoint(asked) and self._older.isdisjoint(asked)
        if len(self._younger) >= _REMEMBERED:
            self._younger, self._older = set(), self._younger
        self._younger |= asked
        return new


async def keep(
    conn: Connection,
    posts: Sequence[WidgetPost],
    withdrawn: AsksWithdrawn[table.Key] = nobody_withdrew,
    recent: RecentEvents | None = None,
) -> set[Record]:
    """A record is news when any of its events was; an event that came twice belongs to the record that came first.

    `withdrawn` says which are of somebody who has taken their consent back since: they are counted, and name nobody.
    `recent` says whether all are likely to be new."""
    rows: dict[table.Key, WidgetEventRow] = {}
    firsts: list[tuple[Record, list[table.Key]]] = []
    pieces: list[bytes] = []
    for post in sorted(posts, key=_STORE_NAME):  # a store's rows lie near each other in the indexes
        # an event has one id, and a browser that was not answered sends it again in another POST
        keys = [*map(_key, post.rows)]
        if rows.keys().isdisjoint(keys) and len({*keys}) == len(keys):  # nearly always, and in a third of the time
            rows.update(zip(keys, post.rows, strict=True))
        else:
            keys = [key for key, one in zip(keys, post.rows, strict=True) if rows.setdefault(key, one) is one]
        firsts.append((post.record, keys))
        pieces.append(post.encoded if len(keys) == len(post.rows) else encoded(map(rows.__getitem__, keys)))
    seen = ((key, one.organization_id, one.created_at, partial(names, one)) for key, one in rows.items())
    stores = {post.record.store for post in posts}
    unnamed = [(rows[key].organization_id, rows[key].id) for key in await withdrawn(conn, stores, seen)]
    all_new = recent is not None and recent.are_new(event for _, event in rows)
    known = await table.add(conn, [*rows.values()], pieces=pieces, unnamed=unnamed, all_new=all_new)
    return {record for record, keys in firsts if not known.issuperset(keys)}


def _key(row: WidgetEventRow) -> table.Key:
    return row[0].int, row[2].int  # by place: it is done for each event
