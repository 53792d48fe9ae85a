"""Widget events as they lie in widget.events: a record is one accepted POST, an array of them."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

EventType = Literal[
    "widget_loaded",
    "widget_opened",
    "widget_closed",
    "message_sent",
    "conversation_started",
    "page_viewed",
    "cart_updated",
]


class WidgetReport(BaseModel):
    """One event of a visitor's browser. `id` is a UUIDv7, and the moment in it is the event's.

    The door adds what it knows itself: the address, truncated unless the store keeps it whole, the browser's name, and
    the customer where the shop vouched for one. `event_data` of cart_updated: value_minor, currency, items.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: UUID
    event_type: EventType
    session_id: str | None = None
    user_id: UUID | None = None
    customer_id: str | None = None
    page_url: str | None = None
    referrer: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    load_time_ms: int | None = None
    widget_version: str | None = None
    event_data: dict[str, Any] = Field(default_factory=dict)
