"""Chatwoot's account webhooks by their event name; what nobody uses is let go.

There is none for: contact merged or deleted, conversation deleted, a survey answered (that is a message_updated).
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from schemas.conversations import Changed, ConversationEvent, Inbound, MessageEvent, Named

Attributes = Annotated[dict[str, Any], BeforeValidator(lambda value: value if isinstance(value, dict) else {})]


class ContactEvent(Inbound):
    """contact_created and contact_updated."""

    event: str
    id: int
    account: Named | None = None
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    blocked: bool | None = None
    custom_attributes: Attributes = Field(default_factory=dict)
    additional_attributes: Attributes = Field(default_factory=dict)
    changed_attributes: tuple[dict[str, Changed], ...] | None = None


class WidgetEvent(Inbound):
    """webwidget_triggered: a visitor opened the bubble."""

    event: str
    id: int
    source_id: str | None = None
    account: Named | None = None
    contact: Named | None = None
    inbox: Named | None = None


Webhook = ConversationEvent | MessageEvent | ContactEvent | WidgetEvent

_MODELS: dict[str, type[Webhook]] = {
    "conversation_created": ConversationEvent,
    "conversation_updated": ConversationEvent,
    "conversation_status_changed": ConversationEvent,
    "message_created": MessageEvent,
    "message_updated": MessageEvent,
    "contact_created": ContactEvent,
    "contact_updated": ContactEvent,
    "webwidget_triggered": WidgetEvent,
}
CONVERSATION_EVENTS = frozenset(name for name, model in _MODELS.items() if model in (ConversationEvent, MessageEvent))
CONTACT_EVENTS = frozenset(name for name, model in _MODELS.items() if model is ContactEvent)


def parse(event: str | None, body: bytes | str) -> Webhook | None:
    """Read a body whose `event` its header told; None for events nobody uses. Raises ValidationError."""
    model = _MODELS.get(event or "")
    return model.model_validate_json(body) if model else None
