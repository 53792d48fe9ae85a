"""Finding the guilty: halves of a refused batch, each in a savepoint, down to single events."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from db.pool import Connection
from db.transactions import check_at_once
from services.kernel.errors import Verdict, may_be_of_a_record, verdict
from services.kernel.record import Carries, Record

# One guilty event of 500 costs 18 tries, 50 cost about 430; what is left over is the next transaction's.
TRIES = 300


E = TypeVar("E", bound=Carries)
Apply = Callable[[Connection, Sequence[E]], Awaitable[Collection[Record]]]


@dataclass(slots=True)
class Applied:
    """What applying a batch came to: records that were news, events refused and why, events not tried."""

    news: set[Record] = field(default_factory=set)
    guilty: list[tuple[Record, Exception]] = field(default_factory=list)
    untried: list[Record] = field(default_factory=list)
    worked: bool = False  # whether any event at all could be applied


async def apply_in_halves(conn: Connection, events: Sequence[E], apply: Apply[E], *, in_doubt: bool = False) -> Applied:
    """The careful case, after the whole was refused. Events are tried in order, so what is untried is a tail.

    In doubt whether an outage is one, what looks like it is taken for guilt as long as other events can be applied.
    """
    # Deferred constraints must show at the event, not at COMMIT.
    await check_at_once(conn)
    result, doubted = Applied(), list[tuple[E, Exception]]()
    waiting = _halves(events)
    for _ in range(TRIES):
        if not waiting:
            break
        part = waiting.pop()
        error = await _tried(conn, part, apply, result, in_doubt=in_doubt)
        if error and len(part) > 1:
            waiting += _halves(part)
        elif error and verdict(error) is Verdict.AGAIN:
            doubted.append((part[0], error))
        elif error:
            result.guilty.append((part[0].record, error))
    for event, outage in doubted:  # it may have ended meanwhile
        if not result.worked:
            raise outage
        if error := await _tried(conn, [event], apply, result, in_doubt=True):
            result.guilty.append((event.record, error))
    result.untried = [event.record for part in reversed(waiting) for event in part]
    return result


async def _tried(
    conn: Connection, part: Sequence[E], apply: Apply[E], result: Applied, *, in_doubt: bool
) -> Exception | None:
    """What refuses these events, None if nothing does. Raises what is no event's fault."""
    try:
        async with conn.transaction():
            result.news |= set(await apply(conn, part))
    except Exception as error:
        if verdict(error) is Verdict.GUILTY or (in_doubt and may_be_of_a_record(error)):
            return error
        raise
    result.worked = True
    return None


def _halves(events: Sequence[E]) -> list[Sequence[E]]:
    """The later half first: the earlier one is popped first."""
    middle = len(events) // 2
    return [part for part in (events[middle:], events[:middle]) if part]
