"""What Chatwoot calls reporting events: the answers, resolutions and handovers that its reports count."""

from datetime import datetime
from typing import NamedTuple


class Event(NamedTuple):
    """One of them; `approximate` says that it ended at the latest at `end`."""

    name: str
    seconds: int
    user_id: int | None
    start: datetime
    end: datetime
    approximate: bool = False
