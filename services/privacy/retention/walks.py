"""How each kind leaves: page by page along an index, one transaction a page, past those whom the law bids to keep.

A walk takes the place where the page before ended, and says where this one did: None where nothing is left.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.pool import Connection
from db.privacy import sweeping as table
from schemas.bounds import EARLIEST
from schemas.values.retention import RetentionKind
from services.kernel.forgetting.legal_holds import LegalHolds
from services.kernel.forgetting.subjects import subjects_named

SweepPlace = tuple[Any, ...]
_CHATS = 200  # of one page, with so many messages as a page has rows, or one that has more


@dataclass(frozen=True, slots=True)
class SweepPage:
    """One transaction's share: what of a store, older than `before`, behind `place`, so many rows at most."""

    conn: Connection
    store: UUID
    before: datetime
    holds: LegalHolds
    most: int
    place: SweepPlace | None = None


@dataclass(frozen=True, slots=True)
class Walked:
    """How many rows left, and where the next page begins."""

    rows: int
    place: SweepPlace | None


Walk = Callable[[SweepPage], Awaitable[Walked]]


async def _chats(page: SweepPage) -> Walked:
    conn, store, before, place = page.conn, page.store, page.before, page.place or (EARLIEST, 0)
    rows = await table.chats_after(conn, store, before, (place[0], place[1]), min(page.most, _CHATS))
    free = [
        row["conversation_id"]
        for row in rows
        if row["contact_digest"] not in page.holds.digests
        and not page.holds.bind(subjects_named(contacts=[row["contact_id"]], conversations=[row["conversation_id"]]))
    ]
    over = {row["id"]: row["messages"] for row in await table.chats_over(conn, store, free, before)}
    chosen: list[int] = []
    messages = 0
    for row in rows:
        messages += over.get(row["conversation_id"], 0)
        if chosen and messages > page.most:
            break
        place = (row["started_at"], row["conversation_id"])
        if row["conversation_id"] in over:
            chosen.append(row["conversation_id"])
    gone = await table.forget_chats(conn, store, chosen) if chosen else 0
    return Walked(gone, place if rows else None)


async def _orders(page: SweepPage) -> Walked:
    place = page.place or (EARLIEST, "")
    rows = await table.orders_after(page.conn, page.store, page.before, (place[0], place[1]), page.most)
    free = [row["order_id"] for row in rows if not page.holds.bind(subjects_named(customers=[row["customer_id"]]))]
    gone = await table.forget_orders(page.conn, page.store, free, page.before) if free else 0
    return Walked(gone, (rows[-1]["last_at"], rows[-1]["order_id"]) if rows else None)


async def _registrations(page: SweepPage) -> Walked:
    place = page.place or (EARLIEST, "", "")
    rows = await table.facts_after(page.conn, page.store, page.before, (place[0], place[1], place[2]), page.most)
    free = [row for row in rows if not page.holds.bind(subjects_named(customers=[row["customer_id"]]))]
    keys = [(row["source"], row["event_id"]) for row in free]
    gone = await table.forget_facts(page.conn, page.store, keys) if keys else 0
    return Walked(gone, (rows[-1]["happened_at"], rows[-1]["source"], rows[-1]["event_id"]) if rows else None)


async def _visits(page: SweepPage) -> Walked:
    place = page.place or (EARLIEST, "", "")
    rows = await table.visits_after(page.conn, page.store, page.before, (place[0], place[1], place[2]), page.most)
    keys = [
        (row["customer_id"], row["session_id"])
        for row in rows
        if not page.holds.bind(subjects_named(customers=[row["customer_id"]], sessions=[row["session_id"]]))
    ]
    gone = await table.forget_visits(page.conn, page.store, keys, page.before) if keys else 0
    return Walked(gone, (rows[-1]["first_at"], *_pair(rows[-1])) if rows else None)


def _pair(row: Any) -> tuple[str, str]:
    return row["customer_id"], row["session_id"]


async def _letters(page: SweepPage) -> Walked:
    # Whom a letter is about nobody can say by a hash: a store that must keep somebody's keeps them all.
    if page.holds:
        return Walked(0, None)
    gone = await table.forget_letters(page.conn, page.store, page.before, most=page.most)
    return Walked(gone, () if gone else None)


async def _log(page: SweepPage) -> Walked:
    gone = await table.trim_log(page.conn, page.store, page.before, most=page.most)
    return Walked(gone, () if gone else None)


WALKS: Mapping[RetentionKind, tuple[Walk, ...]] = {
    "chat": (_chats,),
    "visits": (_visits,),
    "shop": (_orders, _registrations),
    "dead_letters": (_letters,),
    "audit_log": (_log,),
}
