"""Until when the figures are complete, said with every answer: what is not known is said, not guessed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.pool import Connection, Row
from db.reporting import account_details
from db.reporting import completeness as table
from schemas import topics
from schemas.reports import Completeness

_ROUND = timedelta(seconds=10)  # so often ingress writes what it saw acknowledged


async def completeness(conn: Connection, organization: UUID) -> Completeness:
    """By the ledger's place in the topic, by what ingress saw acknowledged there, and by what waits in its spools."""
    doors = await table.doors(conn)  # before the ledger, which may be further then, and not behind it
    progress = await table.progress(conn, group="conversations", topic=topics.WEBHOOKS.name)
    # Behind counts offsets: a marker or a hole among them makes it too many, never too few.
    late = [row for row in progress if _behind(row) > 0]
    return Completeness(
        complete_to=min(_bounds(progress, late, doors), default=None),
        records_behind=sum(map(_behind, late)),
        **dict(await table.doubts(conn, organization)),
        not_applied=tuple(map(_not_applied, await account_details.unknown_bots(conn, organization))),
    )


def _not_applied(inbox: Row) -> str:
    """Which rule waits for the API, where nobody told whether a bot answers first."""
    fault = "the store was attached without an API token" if inbox["without_token"] else inbox["fault"]
    asked = f" ({fault})" if fault else ""
    return (
        f"inbox {inbox['name'] or inbox['inbox_id']}: whether a bot answers first is not known{asked}; its handovers "
        "and resolutions count only where a conversation began as pending"
    )


def _behind(row: Row) -> int:
    highest = row["highest_offset"]
    return 0 if highest is None else max(0, int(highest) + 1 - int(row["next_offset"]))


def _accepted_at(row: Row) -> datetime:
    """When the last applied record was accepted: its id is a UUIDv7, which begins with the millisecond."""
    try:
        milliseconds = UUID(row["anchor_id"] or "").int >> 80
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _bounds(progress: Sequence[Row], late: Sequence[Row], doors: Row) -> Iterator[datetime]:
    """Silence is complete, too: a door that says it was told nothing new is heard."""
    if late:
        yield from map(_accepted_at, late)
    elif progress and doors["told_at"]:
        yield doors["told_at"] - _ROUND
    else:
        return
    if doors["spooled_at"]:
        yield doors["spooled_at"]
