"""One webhook → a contact as of a moment by Chatwoot's clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.bounds import EARLIEST, moment_in
from schemas.chatwoot.contacts import ConversationStarted, ShownContact
from schemas.chatwoot.webhooks import CONTACT_EVENTS, ContactEvent, parse
from schemas.values import json_text
from services.contacts.matching import KnownContact
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, bare_email, subjects_named

# A contact's creation, and a conversation's, come without the moment of the contact's last change: whatever names one
# is newer.
LONG_AGO = EARLIEST
CONVERSATION_CREATED = "conversation_created"


@dataclass(frozen=True, slots=True)
class ContactSeen:
    """A contact that a webhook showed."""

    record: Record
    contact: ContactEvent | ShownContact
    at: datetime

    def known(self, account_id: int) -> KnownContact:
        return contact_of(self.contact, store=self.record.store, account_id=account_id, at=self.at)


def contact_of(
    contact: ContactEvent | ShownContact, *, store: UUID, account_id: int, at: datetime = LONG_AGO
) -> KnownContact:
    """As the table knows contacts. `user_id` is what the identifier would say; whether there is such a user is open."""
    return KnownContact(
        store=store,
        account_id=account_id,
        contact_id=contact.id,
        seen_at=at,
        email=_name(contact.email and bare_email(contact.email)),
        phone=_name(contact.phone_number),
        customer_id=_name(contact.identifier),
        user_id=_uuid(contact.identifier),
        attributes=contact.custom_attributes,
    )


def read(record: Record) -> ContactSeen | None:
    """Contacts, and the sender of a new conversation, in case the contact's own webhook was lost or came before us."""
    if record.event == CONVERSATION_CREATED:
        started = json_text.read(ConversationStarted.model_validate_json, record.value)
        sender = started.meta and started.meta.sender
        return ContactSeen(record, sender, LONG_AGO) if sender else None
    if record.event not in CONTACT_EVENTS:
        return None
    contact = parse(record.event, record.value)
    return ContactSeen(record, contact, _moment(contact)) if isinstance(contact, ContactEvent) else None


def subjects(event: ContactSeen) -> Iterable[Subject]:
    """Whom it is about, by each name that the contact bears."""
    one = event.contact
    return subjects_named(contacts=[one.id], customers=[one.identifier], emails=[one.email], phones=[one.phone_number])


def _moment(contact: ContactEvent) -> datetime:
    moved = contact.changed("updated_at")
    return (moved and moment_in(moved.current_value)) or LONG_AGO


def _name(text: str | None) -> str | None:
    return text if text and text.strip() else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
