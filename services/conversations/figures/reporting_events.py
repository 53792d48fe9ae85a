"""What Chatwoot calls reporting events: the answers, resolutions and handovers that its reports count."""

from datetime import datetime
from typing import NamedTuple


class Event(NamedTuple):
    """One of them. `approximate`: it ended at the latest at `end`, or is a handover that may have been a person's."""

    name: str
    seconds: int
    user_id: int | None
    start: datetime
    end: datetime
    approximate: bool = False
