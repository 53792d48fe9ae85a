"""A page's events, each judged on its own: what is kept of it, or why it is refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from schemas.beacons import Beacon, moment
from services.ingress.origins import without_query
from services.kernel.errors import describe

_OLDEST, _AHEAD = timedelta(hours=48), timedelta(minutes=10)
_ONE = TypeAdapter(Beacon)
_ALL: TypeAdapter[list[Beacon]] = TypeAdapter(list[Beacon])

Fault = Literal["invalid", "too_old", "ahead"]


class Verdict(NamedTuple):
    """Why the event at this place of the request was refused; `reason` is for the sender."""

    place: int
    fault: Fault
    reason: str


def judge(events: Sequence[Any], now: datetime) -> tuple[list[Beacon], list[Verdict]]:
    """Those that are kept, and the verdicts on the others."""
    try:
        read: list[tuple[int, Beacon]] = list(enumerate(_ALL.validate_python(events)))
        verdicts: list[Verdict] = []
    except ValidationError:
        read, verdicts = _one_by_one(events)
    kept = []
    for index, event in read:
        if verdict := _verdict(index, event, now):
            verdicts.append(verdict)
        else:
            kept.append(event)
    return kept, sorted(verdicts)


def row(event: Beacon, about: dict[str, Any]) -> dict[str, Any]:
    """As it lies in the topic: its addresses without their queries, and what the door knows itself."""
    return {
        **event.__dict__,
        "page_url": without_query(event.page_url) if event.page_url else None,
        "referrer": without_query(event.referrer) if event.referrer else None,
        **about,
    }


def _one_by_one(events: Sequence[Any]) -> tuple[list[tuple[int, Beacon]], list[Verdict]]:
    read, verdicts = [], []
    for index, event in enumerate(events):
        try:
            read.append((index, _ONE.validate_python(event)))
        except ValidationError as error:
            verdicts.append(Verdict(index, "invalid", describe(error)))
    return read, verdicts


def _verdict(index: int, event: Beacon, now: datetime) -> Verdict | None:
    try:
        at = moment(event.id)
    except ValueError as cause:
        return Verdict(index, "invalid", str(cause))
    if at < now - _OLDEST:
        return Verdict(index, "too_old", "its id names a moment more than 48 hours ago")
    if at > now + _AHEAD:
        return Verdict(index, "ahead", "its id names a moment more than 10 minutes ahead of the server's clock")
    return None
