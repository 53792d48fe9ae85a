"""Chatwoot's account webhooks by their event name; what nobody uses is let go.

There is none for: contact merged or deleted, conversation deleted, a survey answered (that is a message_updated).
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from schemas.bounds import Id, Name, OrNone, json_hash
from schemas.chatwoot.conversations import Changing, ConversationEvent, Inbound, MessageEvent
from schemas.values import json_text

_ATTRIBUTE_BYTES, _ALL_BYTES = 16 * 1024, 64 * 1024


def _attributes(value: object) -> dict[str, Any]:
    return json_hash(value, depth=16, elements=2_000, bytes_each=_ATTRIBUTE_BYTES, bytes_all=_ALL_BYTES)


# Callers of Chatwoot's API set them to anything: what is out of bounds is left out, key by key.
Attributes = Annotated[dict[str, Any], BeforeValidator(_attributes)]


class ContactEvent(Changing):
    """contact_created and contact_updated."""

    id: Id
    email: OrNone[Name] = None
    phone_number: OrNone[Name] = None
    identifier: OrNone[Name] = None
    custom_attributes: Attributes = Field(default_factory=dict)


class WidgetEvent(Inbound):
    """webwidget_triggered: a visitor opened the bubble."""

    id: Id


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
EVENTS = tuple(_MODELS)  # what a webhook of ours subscribes to: 3.0.0 knows them all
CONVERSATION_EVENTS = frozenset(name for name, model in _MODELS.items() if model in (ConversationEvent, MessageEvent))
CONTACT_EVENTS = frozenset(name for name, model in _MODELS.items() if model is ContactEvent)


def parse(event: str | None, body: bytes) -> Webhook | None:
    """Read a body whose `event` its header told; None for events nobody uses. Raises ValidationError."""
    if (model := _MODELS.get(event or "")) is None:
        return None
    validate: Callable[[bytes], Webhook] = model.model_validate_json
    return json_text.read(validate, body)
