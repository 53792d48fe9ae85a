"""Moments as people say them: "2026-11-01", "2026-11-01T09:00", "7d", "12h", in the zone that is meant."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas import bounds

_AGO = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, zone: str, now: datetime) -> datetime:
    """The moment meant by `text`: so long ago, or a date or time of the zone's calendar, in UTC.

    Raises ValueError."""
    try:
        if ago := _AGO.fullmatch(text):
            return bounds.moment(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        named = datetime.fromisoformat(text)
        return bounds.moment(named if named.tzinfo else named.replace(tzinfo=ZoneInfo(zone)))
    except OverflowError as cause:
        raise ValueError(f"{text} lies outside of every calendar") from cause
