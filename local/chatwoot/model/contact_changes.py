"""What may happen to a contact: made, changed, merged, deleted; with Chatwoot's validations."""

import re
from typing import Any

from local.chatwoot.errors import RecordInvalid
from local.chatwoot.model.bearers import UNIQUE
from local.chatwoot.model.changes import change_contact
from local.chatwoot.model.rows import Account, Contact, Inbox, JsonObject
from local.chatwoot.model.state import DoubleState
from local.chatwoot.webhooks.listener import WebhookListener

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_E164 = re.compile(r"\+[1-9]\d{1,14}")
_FIELDS = {"name", "email", "phone_number", "identifier", "blocked", "additional_attributes", "custom_attributes"}


def create(state: DoubleState, events: WebhookListener, account: Account, **given: Any) -> Contact:
    """Store a new contact and tell of it; raises Invalid for doubles and bad forms."""
    now = state.now()
    values = _clean({key: value for key, value in given.items() if key in _FIELDS})
    _validate(state, account.id, values, own_id=None)
    row = Contact(id=state.number("contact"), account_id=account.id, created_at=now, updated_at=now, **values)
    row.contact_type = _kind(row.email, row.phone_number)
    state.keep(row)
    events.contact_created(row)
    return row


def update(state: DoubleState, events: WebhookListener, row: Contact, given: JsonObject) -> None:
    """Overwrite fields; custom_attributes merge by key (null stays null), additional_attributes since 4.2."""
    values = _clean({key: value for key, value in given.items() if key in _FIELDS})
    if "custom_attributes" in values:
        values["custom_attributes"] = row.custom_attributes | values["custom_attributes"]
    if "additional_attributes" in values and state.release.merges_additional_attributes:
        values["additional_attributes"] = row.additional_attributes | values["additional_attributes"]
    whole = {key: getattr(row, key) for key in UNIQUE} | values
    _validate(state, row.account_id, whole, own_id=row.id)
    store(state, events, row, **values)


def store(state: DoubleState, events: WebhookListener, row: Contact, **values: Any) -> None:
    """Write values that are already right, and tell of the change if there is one."""
    kind = _kind(values.get("email", row.email), values.get("phone_number", row.phone_number))
    if row.contact_type == "visitor" and kind == "lead":
        values["contact_type"] = kind
    changed = change_contact(row, state.now(), **values)
    if changed:
        state.keep(row)
    events.contact_updated(row, changed)


def merge(state: DoubleState, events: WebhookListener, base: Contact, mergee: Contact) -> None:
    """The base survives and wins; the other vanishes without an event, and its conversations move."""
    for identity in state.identities(mergee):
        state.hand_over(identity, base)
    for talk in state.conversations_of(mergee):
        talk.contact_id = base.id
    for message in state.messages.values():
        if message.sender is mergee:
            message.sender = base
    state.remove(mergee)
    filled = {key: getattr(base, key) or getattr(mergee, key) for key in ("name", *UNIQUE)}
    for key in ("custom_attributes", "additional_attributes"):
        filled[key] = getattr(mergee, key) | getattr(base, key)
    store(state, events, base, **filled)


def delete(state: DoubleState, row: Contact) -> None:
    """No event tells of it. Conversations go at once here; Chatwoot takes a moment."""
    account = state.accounts[row.account_id]
    for talk in state.conversations_of(row):
        del account.conversations[talk.display_id]
        for message in talk.messages:
            del state.messages[message.id]
    state.remove(row)


def identify(state: DoubleState, events: WebhookListener, row: Contact, given: JsonObject) -> Contact:
    """What a widget says of its visitor: merged into the contact known by identifier, e-mail or phone number.

    A known contact with another identifier is left alone, and the field that points to it is skipped.
    """
    given = dict(given)
    for key in ("identifier", "email", "phone_number"):
        known = state.bearer(row.account_id, key, given.get(key))
        if known is None or known is row:
            continue
        if given.get("identifier") and known.identifier not in (None, given["identifier"]):
            del given[key]
            continue
        merge(state, events, known, row)
        row = known
    update(state, events, row, {key: value for key, value in given.items() if value})
    return row


def visitor(state: DoubleState, events: WebhookListener, inbox: Inbox) -> Contact:
    """Somebody whose browser loaded the widget."""
    return create(state, events, state.accounts[inbox.account_id], name=state.visitor_name())


def _kind(email: str | None, phone: str | None) -> str:
    return "lead" if email or phone else "visitor"


def _clean(values: JsonObject) -> JsonObject:
    if values.get("email"):
        values["email"] = values["email"].strip().lower()
    for key in UNIQUE:
        if values.get(key) == "":
            values[key] = None
    return values


def _validate(state: DoubleState, account_id: int, values: JsonObject, *, own_id: int | None) -> None:
    errors: list[tuple[str, str]] = []
    for key in UNIQUE:
        # Rails' uniqueness: within the account, and the e-mail in any case.
        bearer = state.bearer(account_id, key, values.get(key))
        if bearer is not None and bearer.id != own_id:
            errors.append((key, "has already been taken"))
        if key == "email" and values.get(key) and not _EMAIL.fullmatch(values[key]):
            errors.append((key, "Invalid email"))
        if key == "phone_number" and values.get(key) and not _E164.fullmatch(values[key]):
            errors.append((key, "should be in e164 format"))
    if errors:
        raise RecordInvalid(errors)
