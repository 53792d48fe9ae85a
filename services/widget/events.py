"""One accepted POST of a visitor's browser → its rows."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from db.widget.binary_rows import WidgetEventRow, encoded
from schemas.beacons import CONSENT, PlainReport, WidgetReport, judged_moment, reports
from schemas.bounds import EARLIEST, json_value
from schemas.values import json_text
from schemas.values.consent import ToldConsent
from services.kernel import Invalid, Record
from services.kernel.consent.words import ConsentWord
from services.kernel.forgetting.subjects import Subject, subjects_named

_OLDEST, _AHEAD = timedelta(days=27), timedelta(days=62)  # of months that have a partition, whatever their length
_WORDS = TypeAdapter(tuple[ToldConsent, ...])
CountGone = Callable[[UUID, int], None]  # so many events of this store
_DATA_BYTES, _DATA_DEPTH = 8 * 1024, 8


@dataclass(frozen=True, slots=True)
class KeptSpan:
    """When the oldest partition begins, and from when on the stores keep events that do not keep all."""

    first_month: datetime
    by_store: Mapping[UUID, datetime]

    def since(self, store: UUID) -> datetime:
        """What happened before comes too late to be kept."""
        return max(self.first_month, self.by_store.get(store, self.first_month))


EVERYTHING = KeptSpan(EARLIEST, {})


def _count_nothing(_store: UUID, _events: int) -> None:
    """Nobody asked."""


@dataclass(frozen=True, slots=True)
class WidgetPost:
    """One accepted POST and its rows, also encoded as PostgreSQL takes them, or what its visitor said of consent."""

    record: Record
    rows: tuple[WidgetEventRow, ...]
    words: tuple[ConsentWord, ...] = ()
    encoded: bytes = b""


def read(record: Record, kept: KeptSpan = EVERYTHING, ignored: CountGone = _count_nothing) -> WidgetPost | None:
    """The door judged each event already: what does not fit here is no event at all.

    None where nothing is left to keep; `ignored` hears of what comes after its store's time is over.
    """
    if record.event == CONSENT:
        words = json_text.read(_WORDS.validate_json, record.value)
        return WidgetPost(record, (), tuple(word for one in words for word in _words(record.store, one)))
    told = reports(record.value)
    store = record.store
    since = kept.since(store)
    rows = [row(store, one) for one in told]
    moments = [one[1] for one in rows]
    if min(moments, default=since) < since:
        rows = [one for one in rows if one[1] >= since]
        moments = [one[1] for one in rows]
        ignored(store, len(told) - len(rows))
    if not rows:
        return None
    # Foreign writers are not judged by the door, and a month that nobody spoke of has no partition.
    received_at = record.received_at
    if min(moments) < received_at - _OLDEST or received_at + _AHEAD < max(moments):
        raise Invalid("an event's id names a moment far from when it was received")
    return WidgetPost(record, tuple(rows), encoded=encoded(rows))


def subjects(event: WidgetPost) -> Iterable[Subject]:
    """Whose browser it was: the session, and who the shop said it is."""
    yield from subjects_named(
        customers=[one.customer_id for one in event.rows],
        sessions=[one.session_id for one in event.rows],
        users=[one.user_id for one in event.rows],
    )
    yield from (word.subject for word in event.words)


def names(row: WidgetEventRow) -> Iterable[Subject]:
    """Whom one event names."""
    return subjects_named(customers=[row.customer_id], sessions=[row.session_id], users=[row.user_id])


def _words(store: UUID, told: ToldConsent) -> Iterable[ConsentWord]:
    """The session's word, and the customer's where the shop vouched for one."""
    for subject in subjects_named(customers=[told.customer_id], sessions=[told.session_id]):
        yield ConsentWord(store, subject, told.purpose, told.given, told.said_at, "beacon", told.text_version)


def row(store: UUID, event: WidgetReport | PlainReport) -> WidgetEventRow:
    """As PostgreSQL cannot refuse it: one visitor's strange browser must not cost a batch its second try."""
    # by place, as the columns stand: it is done for each event
    return WidgetEventRow(
        store,
        judged_moment(event.id),
        event.id,
        event.event_type,
        event.session_id,
        event.user_id,
        event.customer_id,
        event.page_url,
        event.user_agent,
        address(event.ip_address),
        event.referrer,
        event.load_time_ms,
        event.widget_version,
        data(event.event_data),
    )


@lru_cache(maxsize=4_096)
def address(value: str | None) -> str | None:
    # A link-local address may carry the visitor's own interface after a percent sign, which inet does not take.
    try:
        return str(ipaddress.ip_address((value or "").partition("%")[0]))
    except ValueError:
        return None


def data(value: dict[str, Any]) -> str:
    """As JSON, cleaned; what is out of bounds is left out as a whole and marked so."""
    if not value:
        return "{}"
    try:
        clean = orjson.dumps(json_value(value, depth=_DATA_DEPTH, elements=_DATA_BYTES))
    except ValueError as reason:
        return _left_out(str(reason))
    return clean.decode() if len(clean) <= _DATA_BYTES else _left_out("too long")


def _left_out(reason: str) -> str:
    return orjson.dumps({"left_out": reason}).decode()
