"""Sessions → the newest of each, and who is due because somebody is talking to them."""

from collections.abc import Sequence

from db.people import due
from db.people import visits as table
from db.pool import Connection
from services.customers.visits.events import VisitsSeen
from services.customers.visits.visit import ShopVisit
from services.kernel import Record


async def keep(conn: Connection, events: Sequence[VisitsSeen]) -> set[Record]:
    """Take what is newer; mark those whom somebody is talking to."""
    keys = {visit.key for event in events for visit in event.visits}
    before = {visit.key: visit for visit in map(ShopVisit.of, await table.known(conn, keys))}
    now, news = dict(before), set[Record]()
    for event in events:
        for visit in event.visits:
            known = now.get(visit.key)
            after = known.then(visit) if known else visit
            if after != known:
                now[visit.key] = after
                news.add(event.record)
    moved = [visit for key, visit in sorted(now.items()) if visit != before.get(key)]
    await table.put(conn, [visit.row() for visit in moved])
    # Nobody reads the carts of those whom nobody talks to: they would be calls for nothing.
    people = await table.talking(conn, {(visit.store, visit.customer_id) for visit in moved})
    await due.mark(conn, [(store, f"customer:{one}") for store, one in people])
    return news
