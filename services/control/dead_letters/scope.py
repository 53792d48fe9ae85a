"""Which dead letters a verb may touch: those of one store, or of every store that exists or that a letter names."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from db.pool import Connection, Pool, Row, scoped
from db.records import dead_letters
from db.records.dead_letters import LetterFilter
from services.kernel.cli.environment import database, stores_named
from services.kernel.settings import Settings

# One transaction's worth: what dies in between repeats at most so many; a letter is up to a few MB.
_SLICE_LETTERS, _SLICE_BYTES = 200, 16 * 1024 * 1024

Advance = Callable[[int, int], None]  # letters settled, of all


@dataclass(frozen=True, slots=True)
class Scope:
    """Which letters a verb may touch: the stores in scope, and what they are called."""

    pool: Pool
    wanted: LetterFilter
    names: dict[UUID, str]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction that sees these stores' letters, and those whose store cannot be read."""
        async with scoped(self.pool, self.names) as conn:
            yield conn


@asynccontextmanager
async def scope(settings: Settings, wanted: LetterFilter, store: str | None) -> AsyncIterator[Scope]:
    """The letters of one store, or of every store that exists or is named by a letter. Raises Refusal."""
    async with database(settings) as pool:
        known = await stores_named(pool, store)
        names = {one: slug for slug, one in known.items()}
        if store:
            yield Scope(pool, replace(wanted, store=known[store]), names)
        else:
            async with pool.acquire(timeout=10) as conn:
                strangers = await dead_letters.stores(conn)
            yield Scope(pool, wanted, {one: str(one) for one in strangers} | names)


def slices(chosen: Sequence[Row]) -> Iterator[list[int]]:
    """Numbers of letters, so many at a time that memory and transactions stay small."""
    part: list[int] = []
    size = 0
    for row in chosen:
        if part and (len(part) == _SLICE_LETTERS or size + row["value_bytes"] > _SLICE_BYTES):
            yield part
            part, size = [], 0
        part.append(row["id"])
        size += row["value_bytes"]
    if part:
        yield part
