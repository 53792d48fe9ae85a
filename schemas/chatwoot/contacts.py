"""What a conversation says of its contact, and how the contacts API answers: 3.x and 4.x, only what we use."""

from pydantic import Field

from schemas.bounds import Elements, Id, Name, OrNone
from schemas.chatwoot.conversations import Inbound
from schemas.chatwoot.webhooks import Attributes


class ShownContact(Inbound):
    """A contact as the API shows it; it has no moment of its last change."""

    id: Id
    email: OrNone[Name] = None
    phone_number: OrNone[Name] = None
    identifier: OrNone[Name] = None
    custom_attributes: Attributes = Field(default_factory=dict)


class StartedMeta(Inbound):
    sender: OrNone[ShownContact] = None


class ConversationStarted(Inbound):
    """conversation_created, as far as it tells who began it."""

    meta: OrNone[StartedMeta] = None


class OneContact(Inbound):
    """GET and PUT contacts/:id, destroy_custom_attributes."""

    payload: ShownContact


class CreatedPayload(Inbound):
    contact: ShownContact


class CreatedContact(Inbound):
    """POST contacts."""

    payload: CreatedPayload


class FoundContacts(Inbound):
    """POST contacts/filter."""

    payload: Elements[ShownContact] = ()


class ErrorAnswer(Inbound):
    """A 4xx. The texts are in the account's language: only `attributes` may be branched on."""

    attributes: Elements[Name] = ()
