"""Contact webhooks → who is who, what Chatwoot holds, and who is due."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from uuid import UUID

from db.people import contacts as table
from db.people import due
from db.pool import Connection, Row
from schemas.bounds import LATEST
from services.contacts.events import ContactSeen
from services.contacts.matching import Key, KnownContact, matters, without_doubles
from services.kernel import Record


class Taken(Enum):
    """What became of a contact that was seen."""

    STALE = "older than what we know"
    REFRESHED = "newer, and nothing for the sender to do"
    MATTERS = "newer, and the sender has to look"


async def keep(conn: Connection, events: Sequence[ContactSeen]) -> set[Record]:
    """Take what is newer than what we know, let names move, say whom the sender has to look at."""
    # One writer a store: names move between contacts, and a unique index sees one row at a time.
    await table.lock_stores(conn, {event.record.store for event in events})
    # A store deleted meanwhile has no account, and nothing that its contacts could be kept in.
    accounts = await table.account_ids(conn)
    seen = [
        (event.record, event.known(accounts[event.record.store])) for event in events if event.record.store in accounts
    ]
    users = await table.users(conn, {one.user_id for _, one in seen if one.user_id})
    taken = await _take(conn, [_with_user(one, users) for _, one in seen])
    outcomes = list(zip(seen, taken, strict=True))
    looks = [(one.store, one.person) for (_, one), outcome in outcomes if outcome is Taken.MATTERS and one.person]
    await due.mark(conn, looks)
    return {record for (record, _), outcome in outcomes if outcome is not Taken.STALE}


async def _take(conn: Connection, seen: Sequence[KnownContact]) -> list[Taken]:
    """Keep what is newer than what we know; what became of each. The stores must be locked."""
    known = await _known(conn, seen)
    current, taken = dict(known), list[Taken]()
    for one in seen:
        before = current.get(one.key)
        # Of one moment the first stays: a repeat changes nothing, and what bears no moment never beats what is known.
        if before is not None and one.seen_at <= before.seen_at:
            taken.append(Taken.STALE)
            continue
        current[one.key] = replace(one, written=before.written if before else frozenset())
        taken.append(Taken.MATTERS if matters(before, one) else Taken.REFRESHED)
    settled = without_doubles(current.values())
    await table.see(conn, [_row(one) for key, one in sorted(settled.items()) if one != known.get(key)])
    return taken


async def adopt(conn: Connection, found: KnownContact) -> None:
    """Keep a contact that Chatwoot showed when asked: newer than what we know of it and of whoever bears its names."""
    await table.lock_stores(conn, {found.store})
    users = await table.users(conn, {found.user_id} if found.user_id else ())
    latest = max((one.seen_at for one in (await _known(conn, [found])).values()), default=found.seen_at)
    # Just newer than all we know, and older than any webhook of what happens from now on.
    seen_at = min(latest, LATEST) + timedelta(microseconds=1)
    await _take(conn, [_with_user(replace(found, seen_at=seen_at), users)])


def _with_user(one: KnownContact, users: set[UUID]) -> KnownContact:
    return one if one.user_id is None or one.user_id in users else replace(one, user_id=None)


async def _known(conn: Connection, seen: Sequence[KnownContact]) -> dict[Key, KnownContact]:
    names = [
        table.NamesRow(
            organization_id=one.store,
            account_id=one.account_id,
            contact_id=one.contact_id,
            email=one.email,
            customer_id=one.customer_id,
            user_id=one.user_id,
        )
        for one in seen
    ]
    return {one.key: one for one in map(_contact, await table.known(conn, names))}


def _contact(row: Row) -> KnownContact:
    return KnownContact(
        store=row["organization_id"],
        account_id=row["chatwoot_account_id"],
        contact_id=row["chatwoot_contact_id"],
        seen_at=row["seen_at"],
        email=row["email"],
        phone=row["phone"],
        customer_id=row["customer_id"],
        user_id=row["user_id"],
        attributes=row["cached_attributes"],
        written=frozenset(row["written_keys"]),
    )


def _row(one: KnownContact) -> table.ContactRow:
    return table.ContactRow(
        organization_id=one.store,
        chatwoot_account_id=one.account_id,
        chatwoot_contact_id=one.contact_id,
        seen_at=one.seen_at,
        email=one.email,
        phone=one.phone,
        customer_id=one.customer_id,
        user_id=one.user_id,
        cached_attributes=dict(one.attributes),
    )
