"""Moments as people say them: "2026-11-01", "2026-11-01T09:00", "7d", "12h", in the zone that is meant."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_AGO = re.compile(r"(\d+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, zone: str, now: datetime) -> datetime:
    """The moment meant by `text`: so long ago, or a date or time of the zone's calendar. Raises ValueError."""
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    told = datetime.fromisoformat(text)
    return told if told.tzinfo else told.replace(tzinfo=ZoneInfo(zone))
