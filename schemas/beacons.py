"""Widget events: as a page sends them, and as they lie in widget.events, where a record is one accepted POST."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator

from schemas.bounds import (
    MOST_INT4,
    MOST_INT8,
    MOST_SECONDS,
    NAME_CHARACTERS,
    URL_CHARACTERS,
    Name,
    OrElse,
    OrNone,
    Url,
)
from schemas.values import json_text
from schemas.values.consent import CONSENT_EVENTS, SAYS_THE_PURPOSE, AskedConsent, ConsentEventType
from schemas.values.numbers import WHOLE

BEACON, CONSENT = "beacon", "consent"  # the `event` header of a record: events, or what a visitor said of consent
# Of a UUIDv7: version and variant, in what is left of it without its last 62 bits.
_VERSION_BITS, _TIME_ORDERED = 0xF << 14 | 0b11, 7 << 14 | 0b10
_LATEST_MS = MOST_SECONDS * 1000
EventType = Literal[
    "widget_loaded",
    "widget_opened",
    "widget_closed",
    "message_sent",
    "conversation_started",
    "page_viewed",
    "cart_updated",
]


Milliseconds = Annotated[int, Field(ge=0, le=MOST_INT4)]


def moment(event_id: UUID) -> datetime:
    """When it happened, by the visitor's clock as the door admitted it: the first 48 bits of a UUIDv7.

    Raises ValueError for other UUIDs, and for moments out of bounds.
    """
    return judged_moment(_dated(event_id))


def judged_moment(event_id: UUID) -> datetime:
    """The same of an id that was judged already, as each of `reports` was."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)


def _is_dated(number: int) -> bool:
    return number >> 62 & _VERSION_BITS == _TIME_ORDERED and number >> 80 <= _LATEST_MS


def _dated(event_id: UUID) -> UUID:
    number = event_id.int
    if number >> 62 & _VERSION_BITS != _TIME_ORDERED:
        raise ValueError("an event's id is no UUIDv7")
    if number >> 80 > _LATEST_MS:
        raise ValueError("an event's id lies after 2199")
    return event_id


class WidgetReport(BaseModel):
    """One event of a visitor's browser. `id` is a UUIDv7, and the moment in it is the event's.

    The door adds what it knows itself: the address, truncated unless the store keeps it whole, the browser's name, and
    the customer where the shop vouched for one. `event_data` of cart_updated: value_minor, currency, items;
    of widget_loaded: failed (true) where it did not come within the page's own time limit.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[UUID, AfterValidator(_dated)]
    event_type: EventType
    session_id: OrNone[Name] = None
    user_id: OrNone[UUID] = None
    customer_id: OrNone[Name] = None
    page_url: OrNone[Url] = None
    referrer: OrNone[Url] = None
    user_agent: OrNone[Url] = None
    ip_address: OrNone[Name] = None
    load_time_ms: OrNone[Milliseconds] = None
    widget_version: OrNone[Name] = None
    event_data: Annotated[dict[str, Any], OrElse({})] = Field(default_factory=dict)


_PlainName = Annotated[str, msgspec.Meta(max_length=NAME_CHARACTERS)]
_PlainUrl = Annotated[str, msgspec.Meta(max_length=URL_CHARACTERS)]
_PlainMilliseconds = Annotated[int, msgspec.Meta(ge=0, le=MOST_INT4)]
_PlainInteger = Annotated[int, msgspec.Meta(ge=-MOST_INT8 - 1, le=MOST_INT8)]  # a wider one becomes another number
_PlainValue = str | _PlainInteger | float | bool | None
# How deep the quick reader goes depends on the Python; the model goes 200 levels. Of this neither comes near them.
_PlainData = dict[str, _PlainValue | list[_PlainValue | dict[str, _PlainValue]]]


class PlainReport(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A WidgetReport in which nothing need be mended, left out or cut: what our own door writes, nearly always."""

    id: UUID
    event_type: EventType
    session_id: _PlainName | None = None
    user_id: UUID | None = None
    customer_id: _PlainName | None = None
    page_url: _PlainUrl | None = None
    referrer: _PlainUrl | None = None
    user_agent: _PlainUrl | None = None
    ip_address: _PlainName | None = None
    load_time_ms: _PlainMilliseconds | None = None
    widget_version: _PlainName | None = None
    event_data: _PlainData = {}


_REPORTS = TypeAdapter(tuple[WidgetReport, ...])
_PLAIN = msgspec.json.Decoder(tuple[PlainReport, ...])


def reports(body: bytes) -> Sequence[WidgetReport | PlainReport]:
    """The events of a record of widget.events. Raises ValidationError for what is none.

    Plain ones are read in a fifth of the time; whatever is not just so, the model judges. Without an escape by its
    number no text holds a NUL or half a pair, which are all that is ever cleaned.
    """
    if b"\\u" not in body:
        try:
            plain = _PLAIN.decode(body)
        except msgspec.DecodeError:
            return json_text.read(_REPORTS.validate_json, body)
        if all(_is_dated(one.id.int) for one in plain):
            return plain
    return json_text.read(_REPORTS.validate_json, body)


MOST_EVENTS = 100
TOKEN_CHARACTERS = 2048
_UUID7 = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"
EventId = Annotated[UUID, WithJsonSchema({"type": "string", "format": "uuid", "pattern": _UUID7})]
# A purpose that we do not know is none of ours, and no reason to lose the events.
Consent = Annotated[tuple[str, ...], WithJsonSchema({"type": "array", "items": {"type": "string"}})]
# Of a store that needs it, as all do that say nothing else. What the visitor agrees to, or no longer, is always heard.
_CONSENT_OR_WORDS_ALONE: dict[str, Any] = {
    "anyOf": [
        {"properties": {"consent": {"contains": {"const": "analytics"}}}},
        {"properties": {"events": {"items": {"properties": {"event_type": {"enum": sorted(CONSENT_EVENTS)}}}}}},
    ]
}


class Beacon(BaseModel):
    """One event as a page tells it. `id` is a UUIDv7 by the server's clock: the page adds the difference between
    `server_time` of its configuration and its own clock. Who the visitor is, the token says; a page cannot.

    consent_given and consent_withdrawn tell what the visitor said at that moment: their `event_data` names the
    `purpose`, and the `text_version` that the visitor was shown."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, json_schema_extra=SAYS_THE_PURPOSE
    )

    id: EventId
    event_type: EventType | ConsentEventType
    page_url: str | None = None
    referrer: str | None = None
    load_time_ms: Annotated[int, Field(strict=True, ge=0, lt=2**31), WHOLE] | None = None
    widget_version: Name | None = None
    event_data: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_consent(self) -> bool:
        return self.event_type in CONSENT_EVENTS

    @model_validator(mode="after")
    def _consent_says_to_what(self) -> "Beacon":
        if self.is_consent:
            AskedConsent.model_validate(self.event_data)
        return self


class BeaconPost(BaseModel):
    """The body of POST /beacons, as text/plain (no preflight, so sendBeacon can) or application/json.

    `consent` names the purposes that the visitor agreed to: without `analytics` nothing is taken but what they say of
    consent itself, without `personalisation` nothing says which customer it was. Where the store needs no consent to
    `analytics`, events without it are taken, and name nobody.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, json_schema_extra=_CONSENT_OR_WORDS_ALONE
    )

    token: str = Field(max_length=TOKEN_CHARACTERS)
    consent: Consent
    events: tuple[Beacon, ...] = Field(min_length=1, max_length=MOST_EVENTS)


class PlainBeacon(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A Beacon in which nothing need be mended, left out or cut, and which is no word of consent: nearly every one."""

    id: UUID
    event_type: EventType
    page_url: str | None = None
    referrer: str | None = None
    load_time_ms: _PlainMilliseconds | None = None
    widget_version: _PlainName | None = None
    event_data: _PlainData = {}
    is_consent: ClassVar[bool] = False


class PlainPost(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The body of a POST /beacons of plain events; how many there may be is not looked at."""

    token: str
    consent: list[str]
    events: list[PlainBeacon]


_PLAIN_POST = msgspec.json.Decoder(PlainPost)


def plain_post(body: bytes) -> PlainPost | None:
    """A body in one reading; None: the model is to judge it, event by event, if it is not too deep for that.

    No plain one is deep. Every field is read, so broken text and endless numbers are seen wherever they stand; for
    escapes, see `reports`.
    """
    if b"\\u" in body:
        return None
    try:
        return _PLAIN_POST.decode(body)
    except msgspec.DecodeError:
        return None
