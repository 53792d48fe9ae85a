"""A page's events, each judged on its own: what is kept of it, or why it is refused."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from schemas.beacons import Beacon, PlainBeacon, PlainReport, moment
from schemas.bounds import URL_CHARACTERS
from schemas.values.consent import CONSENT_EVENTS, AskedConsent
from services.ingress.doors.refusals import EventRefusal
from services.ingress.origins import without_query
from services.kernel.errors import describe

# What a page kept while it was offline; and the clocks of people's machines, which go wrong by minutes.
_OLDEST_MS, _AHEAD_MS = 48 * 3_600_000, 10 * 60_000
# A UUIDv7's version and variant among its bits; the first 48 are its milliseconds.
_MARKS, _UUID7, _MOMENT = 0xF << 76 | 0b11 << 62, 7 << 76 | 0b10 << 62, 80
_CONSENT = tuple(CONSENT_EVENTS)  # a list or dict in its place is no member, and no fault either
KeptBeacon = Beacon | PlainBeacon
_ONE = TypeAdapter(Beacon)
_ALL: TypeAdapter[list[Beacon]] = TypeAdapter(list[Beacon])


class KnownVisitor(NamedTuple):
    """What the door knows itself: the session, the browser, the network, and the customer if there is consent."""

    session: str | None = None
    customer: str | None = None
    user: UUID | None = None
    user_agent: str | None = None
    address: str | None = None


NOBODY = KnownVisitor()


def judge(
    events: Sequence[Any], now: datetime, *, words_alone: bool = False
) -> tuple[list[KeptBeacon], list[EventRefusal]]:
    """Those that are kept, and the verdicts on the others; of plain ones no more is to be judged than their time. With
    `words_alone` only what the visitor said of consent is kept."""
    plain = bool(events) and type(events[0]) is PlainBeacon
    read, refusals = (enumerate(events), []) if plain else _read(events)
    kept, now_ms = list[KeptBeacon](), int(now.timestamp() * 1000)
    oldest, ahead = (now_ms - _OLDEST_MS) << _MOMENT, (now_ms + _AHEAD_MS + 1) << _MOMENT
    for index, event in read:
        number = event.id.int
        if words_alone and not event.is_consent:
            refusals.append(EventRefusal(index, "no_consent", "the visitor has not consented to analytics"))
        elif number & _MARKS == _UUID7 and oldest <= number < ahead:
            kept.append(event)
        else:
            refusals.append(_refusal(index, number, oldest))
    return kept, sorted(refusals)


def row(event: KeptBeacon, visitor: KnownVisitor) -> PlainReport:
    """As it lies in the topic: its addresses without their queries, and who it was."""
    return PlainReport(
        event.id,
        event.event_type,  # type: ignore[arg-type]  # a word of consent becomes no row
        visitor.session,
        visitor.user,
        visitor.customer,
        _address(event.page_url),
        _address(event.referrer),
        visitor.user_agent,
        visitor.address,
        event.load_time_ms,
        event.widget_version,
        event.event_data,
    )


def nobodys_row(event: KeptBeacon) -> PlainReport:
    """Of whoever has not agreed, where the store needs no consent: what happened, and nothing that tells them from
    others. That a widget did not come is what happened: left out, it would count as one that did."""
    failed = event.event_type == "widget_loaded" and event.event_data.get("failed") is True
    return replace(row(event, NOBODY), referrer=None, event_data={"failed": True} if failed else {})


def _address(url: str | None) -> str | None:
    return without_query(url[:URL_CHARACTERS]) if url else None


def any_word(events: Sequence[Any]) -> bool:
    """Whether a page tells what its visitor said of consent, which needs none."""
    return any(isinstance(event, dict) and event.get("event_type") in _CONSENT for event in events)


def word(event: KeptBeacon, session: str, customer: str | None) -> dict[str, Any]:
    """As it lies in the topic (schemas.values.consent.ToldConsent)."""
    asked = AskedConsent.model_validate(event.event_data)
    return {
        "session_id": session,
        "customer_id": customer,
        "purpose": asked.purpose,
        "given": event.event_type == "consent_given",
        "said_at": moment(event.id),
        "text_version": asked.text_version,
    }


def _read(events: Sequence[Any]) -> tuple[Iterable[tuple[int, Beacon]], list[EventRefusal]]:
    """All in one call; only a request with a fault in it is read event by event."""
    try:
        return enumerate(_ALL.validate_python(events)), []
    except ValidationError:
        return _one_by_one(events)


def _one_by_one(events: Sequence[Any]) -> tuple[list[tuple[int, Beacon]], list[EventRefusal]]:
    read, refusals = [], []
    for index, event in enumerate(events):
        try:
            read.append((index, _ONE.validate_python(event)))
        except ValidationError as error:
            refusals.append(EventRefusal(index, "invalid", describe(error)))
    return read, refusals


def _refusal(index: int, number: int, oldest: int) -> EventRefusal:
    if number & _MARKS != _UUID7:
        return EventRefusal(index, "invalid", "its id is no UUIDv7")
    if number < oldest:
        return EventRefusal(index, "too_old", "its id names a moment more than 48 hours ago")
    return EventRefusal(index, "ahead", "its id names a moment more than 10 minutes ahead of the server's clock")
