"""What pages told of a person stays, and names them no longer."""

from datetime import datetime, timedelta

from db.pool import Pool, scoped
from db.privacy import erasing
from services.privacy.who import PersonNames

_SPAN = timedelta(days=7)
_NEXT = timedelta(microseconds=1)


async def unname(pool: Pool, person: PersonNames, until: datetime | None = None) -> int:
    """Every event up to that moment, else every one; how many. In short transactions: a store may have any number."""
    store, changed = person.store, 0
    async with scoped(pool, {store}) as conn:
        span = await erasing.event_span(conn, store)
    if span is None:
        return 0
    at, last = span
    end = min(last, until or last) + _NEXT
    while at < end:
        async with scoped(pool, {store}) as conn:
            changed += await erasing.events(
                conn, store, customers=person.customers, sessions=person.sessions, users=person.users, begin=at,
                end=min(at + _SPAN, end),
            )  # fmt: skip
        at += _SPAN
    return changed
