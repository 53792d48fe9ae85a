"""What a person may agree to, and how a page or a shop tells of it."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.bounds import Name, OrNone

Purpose = Literal["analytics", "chat"]
# What a page tells of a visitor, with the visitor named; and whose a conversation is.
PURPOSES: tuple[Purpose, ...] = ("analytics", "chat")
ConsentEventType = Literal["consent_given", "consent_withdrawn"]
CONSENT_EVENTS: frozenset[str] = frozenset(ConsentEventType.__args__)  # type: ignore[attr-defined]


class AskedConsent(BaseModel):
    """`event_data` of a page's consent_given and consent_withdrawn: for what, and by which text they were asked."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    purpose: Purpose
    text_version: OrNone[Name] = None


# The same in the words of JSON Schema, for an event of a page.
SAYS_THE_PURPOSE: dict[str, Any] = {
    "if": {"properties": {"event_type": {"enum": sorted(CONSENT_EVENTS)}}, "required": ["event_type"]},
    "then": {
        "properties": {"event_data": {"properties": {"purpose": {"enum": [*PURPOSES]}}, "required": ["purpose"]}},
        "required": ["event_data"],
    },
}


class ToldConsent(BaseModel):
    """One word of a visitor, as the door writes it down: the door says who they are, as with events."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    session_id: Name
    customer_id: OrNone[Name] = None
    purpose: Purpose
    given: bool
    said_at: AwareDatetime
    text_version: OrNone[Name] = Field(default=None)
