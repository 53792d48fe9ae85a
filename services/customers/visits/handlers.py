"""Sessions → the newest of each, and who is due because somebody is talking to them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from db.people import due
from db.people import visits as table
from db.pool import Connection
from services.customers.visits.events import VisitsSeen
from services.customers.visits.visit import ShopVisit
from services.kernel import Record
from services.kernel.consent.analytics import AsksWithdrawn, nobody_withdrew
from services.kernel.forgetting.subjects import Subject, subjects_named


async def keep(
    conn: Connection, events: Sequence[VisitsSeen], withdrawn: AsksWithdrawn[ShopVisit] = nobody_withdrew
) -> set[Record]:
    """Take what is newer; mark those whom somebody is talking to. `withdrawn` says which are of somebody who has taken
    their consent back since: they are not kept."""
    visits = {visit for event in events for visit in event.visits}
    seen = ((visit, visit.store, visit.first_at, partial(_names, visit)) for visit in visits)
    if over := await withdrawn(conn, {event.record.store for event in events}, seen):
        events = [replace(event, visits=tuple(one for one in event.visits if one not in over)) for event in events]
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


def _names(visit: ShopVisit) -> Iterable[Subject]:
    return subjects_named(customers=[visit.customer_id], sessions=[visit.session_id])
