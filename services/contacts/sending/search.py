"""A customer whose contact is not known here: ask Chatwoot, at most once a day, or make one."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from db.people import pushes
from db.pool import Connection, Row, scoped
from schemas.chatwoot.contacts import ShownContact
from schemas.values.phone import e164
from services.contacts.events import contact_of
from services.contacts.handlers import adopt
from services.contacts.sending.contacts_api import RefusedByChatwoot, SenderAccount, ServedChatwoot
from services.contacts.sending.due_work import Due
from services.contacts.sending.push import settle
from services.kernel import Process
from services.kernel.chatwoot.chatwoot_client import Gone

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")  # as Chatwoot judges them
_ASK_AGAIN = timedelta(days=1)  # a webhook tells sooner when they do turn up


async def look_up(served: ServedChatwoot, account: SenderAccount, due: Due) -> None:
    """Find or make the contact and keep who it is; the person stays due, and the next turn sends.

    Raises Retryable, LeaseLost.
    """
    process = served.process
    async with scoped(process.pool(), {account.store}) as conn:
        row = await pushes.names(conn, account.store, due.customer_id or "")
    if row is None or _asked_lately(process, row) or account.push != "live":
        await _unknown(served, due)
        return
    found = await _find(served, account, row)
    if found is None and account.create_contacts:
        # Who is taken already was made since we looked: by another of ours that died, or by Chatwoot itself.
        found = await _create(served, account, row) or await _find(served, account, row)
    async with scoped(process.pool(), {account.store}) as conn:
        mapped = await _keep(conn, account, row, found, process.clock.now())
    if not mapped:
        await _unknown(served, due)


def _asked_lately(process: Process, row: Row) -> bool:
    return bool(row["names_sha256"] == _digest(row)) and process.clock.now() - row["asked_at"] < _ASK_AGAIN


def _digest(row: Row) -> bytes:
    return hashlib.sha256(repr((row["customer_id"], row["email"], row["phone"])).encode()).digest()


async def _unknown(served: ServedChatwoot, due: Due) -> None:
    async with scoped(served.process.pool(), {due.store}) as conn:
        await settle(conn, [due])
    served.counts.outcome(due.store, "unknown", due.marks)


async def _find(served: ServedChatwoot, account: SenderAccount, row: Row) -> ShownContact | None:
    served.counts.outcome(account.store, "searched")
    try:
        found = await served.api(account).find(_names(row))
    except (RefusedByChatwoot, Gone):  # an account that is being deleted, or a name that the filter dislikes
        served.counts.outcome(account.store, "refused")
        return None
    return best(found, row)


def _names(row: Row) -> dict[str, str]:
    """Those that Chatwoot can hold: for another one it refuses the whole contact, and finds nobody by it."""
    names = {"identifier": row["customer_id"]}
    if row["email"] and _EMAIL.fullmatch(row["email"]):
        names["email"] = row["email"]
    if phone := e164(row["phone"] or ""):
        names["phone_number"] = phone
    return names


def best(found: Sequence[ShownContact], row: Mapping[str, Any]) -> ShownContact | None:
    """By identifier, else by e-mail, else by phone; never a contact that bears another customer's identifier."""
    # The order of Chatwoot's own contact_identify_action.rb, which does not merge over another identifier either.
    for one in found:
        if one.identifier == row["customer_id"]:
            return one
    free = [one for one in found if not one.identifier]
    email = (row["email"] or "").lower()
    by_email = (one for one in free if email and (one.email or "").lower() == email)
    phone = e164(row["phone"] or "")
    by_phone = (one for one in free if phone and one.phone_number == phone)
    return next(by_email, None) or next(by_phone, None)


async def _create(served: ServedChatwoot, account: SenderAccount, row: Row) -> ShownContact | None:
    body = _names(row) | ({"name": row["name"]} if row["name"] else {})
    try:
        made = await served.api(account).create(body)
    except (RefusedByChatwoot, Gone):
        # Somebody else has one of these names, or Chatwoot dislikes it; which contact it is, it does not say.
        served.counts.outcome(account.store, "refused")
        return None
    served.counts.outcome(account.store, "created")
    return made


async def _keep(conn: Connection, account: SenderAccount, row: Row, found: ShownContact | None, at: datetime) -> bool:
    """Remember what came of it; True when the customer has a contact now."""
    if found is not None:
        await adopt(conn, contact_of(found, store=account.store, account_id=account.account_id))
        mapped = await pushes.contacts_of(conn, [(account.store, row["customer_id"])])
        if mapped and mapped[0]["chatwoot_contact_id"] is not None:
            return True
    await pushes.absent(conn, account.store, row["customer_id"], names_sha256=_digest(row), at=at)
    return False
