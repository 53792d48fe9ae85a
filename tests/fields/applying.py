"""What the kernel does with records, in a transaction that is never committed: read each, apply them all, judge."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from db.pool import Connection, Pool, scoped
from services.kernel import Invalid, Record
from services.kernel.consuming.bisect import Apply
from services.kernel.errors import describe
from tests.fields.hostile import written

Look = Callable[[Connection], Any]
NOW = datetime.now(UTC)


class _Undone(Exception):
    """Ends the transaction, so that examples know nothing of each other."""


def record(topic: str, store: UUID, event: str, body: Any, headers: Mapping[str, bytes]) -> Record:
    """As a foreign writer puts it into the topic; `headers` are added or win."""
    given = {"event": event.encode(), "store": str(store).encode(), "received_at": NOW.isoformat().encode(), **headers}
    named = tuple((name.replace("_", "-"), value) for name, value in given.items())
    return Record(topic, None, body if isinstance(body, bytes) else written(body), named, partition=0, offset=0)


async def nothing_is_our_bug(
    pool: Pool,
    store: UUID,
    records: Sequence[Record],
    read: Callable[[Record], Any],
    apply: Apply[Any],
    *looks: Look,
) -> int:
    """Every record is read or refused with a reason, and PostgreSQL takes all that was read; how many were.

    `looks` are what others do with the rows afterwards.
    """
    events = [event for one in records if (event := _read(one, read)) is not None]
    async with undone(pool, store) as conn:
        try:
            async with conn.transaction():
                await _apply(conn, events, apply, looks)
        except Exception:
            await _name_the_guilty(conn, events, apply, looks)
            raise
    return len(events)


@asynccontextmanager
async def undone(pool: Pool, store: UUID) -> AsyncIterator[Connection]:
    """A transaction with this store in scope that leaves nothing behind."""
    try:
        async with scoped(pool, {store}) as conn:
            yield conn
            raise _Undone
    except _Undone:
        return


def _read(one: Record, read: Callable[[Record], Any]) -> Any:
    """None for what is nobody's or unreadable; all else that is raised would be counted as our bug."""
    try:
        event = read(one)
        return event if event is not None and one.store else None
    except (Invalid, ValueError) as reason:
        if describe(reason) in ("", type(reason).__name__):
            raise AssertionError(f"no reason for people: {reason!r}") from reason
        return None
    except Exception as error:
        raise AssertionError(f"reading raised {error!r}: {one.headers} {one.value[:2_000]!r}") from error


async def _apply(conn: Connection, events: Sequence[Any], apply: Apply[Any], looks: Collection[Look]) -> None:
    if events:
        await apply(conn, events)
    await conn.execute("set constraints all immediate")
    for look in looks:
        await look(conn)


async def _name_the_guilty(conn: Connection, events: Sequence[Any], apply: Apply[Any], looks: Collection[Look]) -> None:
    for event in events:
        try:
            async with conn.transaction():
                await _apply(conn, [event], apply, looks)
        except Exception as error:
            one: Record = event.record
            raise AssertionError(f"applying raised {error!r}: {one.headers} {one.value[:2_000]!r}") from error
