"""How a person says since when: so long ago, or a date or time."""

import re
from datetime import UTC, datetime, timedelta

from services.kernel.errors import Stop

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+)([mhdw])")


def since(text: str | None, *, now: datetime) -> datetime | None:
    """`30m`, `12h`, `7d`, `4w`, or an ISO date or time (of UTC where it names no zone). Raises Stop."""
    if not text:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as cause:
        raise Stop(f"{text!r} is no time: say 30m, 12h, 7d, 4w, 2026-11-01 or 2026-11-01T09:00") from cause
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
