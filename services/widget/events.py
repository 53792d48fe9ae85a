"""One accepted POST of a visitor's browser → its rows."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter

from db.widget import WidgetEventRow
from schemas import json_text
from schemas.beacons import WidgetReport
from services.kernel import Invalid, Record
from services.widget.rows import row

_OLDEST, _AHEAD = timedelta(days=27), timedelta(days=62)  # of months that have a partition, whatever their length
_REPORTS = TypeAdapter(tuple[WidgetReport, ...])


@dataclass(frozen=True, slots=True)
class WidgetPost:
    """One accepted POST and its rows."""

    record: Record
    rows: tuple[WidgetEventRow, ...]


def read(record: Record) -> WidgetPost | None:
    """The door judged each event already: what does not fit here is no event at all."""
    reports = json_text.read(_REPORTS.validate_json, record.value)
    if not reports:
        return None
    rows = tuple(row(record.store, one) for one in reports)
    received_at = record.received_at
    # Foreign writers are not judged by the door, and a month that nobody spoke of has no partition.
    if not all(received_at - _OLDEST <= one.created_at <= received_at + _AHEAD for one in rows):
        raise Invalid("an event's id names a moment far from when it was received")
    return WidgetPost(record, rows)
