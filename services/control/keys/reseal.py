"""Everything sealed anew with the key that seals now: the accounts' secrets in batches, whom requests and words are
about, then what lies on this disk.

Each batch is a transaction of its own, and what the key sealed already is left alone: cut short, it goes on from there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

from db import sealed as table
from db.pool import Connection, Pool, Row, scoped
from db.privacy import erased, seals
from db.sealed import PEOPLES, PeoplesColumn
from services.kernel.actor import note
from services.kernel.cli.environment import stores_named
from services.kernel.errors import Sealed
from services.kernel.sealing.sealed_trees import COLUMN as TREE
from services.kernel.secrets import Secrets, sealed_with

ACCOUNTS = "secrets of stores"
NAMES = "requests and words of people"
_STORES = 100
_NAMES = 500
Tell = Callable[[int, int], None]


class SealedFiles(Protocol):
    """What a service keeps sealed on this machine's disk."""

    name: str

    def by_key(self) -> Counter[str]: ...
    def reseal(self, secrets: Secrets, tell: Tell) -> None: ...


async def by_key(pool: Pool, places: Sequence[SealedFiles]) -> dict[str, Counter[str]]:
    """Place → key id → how much it sealed there."""
    ours = {ACCOUNTS: await _accounts_by_key(pool), NAMES: await _names_by_key(pool)}
    return ours | {one.name: one.by_key() for one in places}


async def people_need_keys(pool: Pool) -> bool:
    """Whether a key that is dropped may take somebody's erasure, word or legal hold along."""
    async with scoped(pool, (await stores_named(pool, None)).values()) as conn:
        return await erased.any_trace(conn)


async def reseal(
    pool: Pool, privacy: Pool, secrets: Secrets, places: Sequence[SealedFiles], tell: Callable[[str], Tell]
) -> None:
    """What cannot be opened stays as it is, and `by_key` goes on to count it. `privacy` is a pool of that role."""
    await _reseal_accounts(pool, secrets, tell(ACCOUNTS))
    await _reseal_names(privacy, secrets, tell(NAMES))
    for place in places:
        place.reseal(secrets, tell(place.name))


async def _accounts_by_key(pool: Pool) -> Counter[str]:
    found: Counter[str] = Counter()
    for some in _batches((await stores_named(pool, None)).values()):
        async with scoped(pool, some) as conn:
            for row in await table.held(conn, some):
                found.update(sealed_with(row[name]) for name in table.COLUMNS if row[name])
            for store in some:
                found.update(sealed_with(row["tree"]) for row in await seals.of_store(conn, store))
    return found


async def _names_by_key(pool: Pool) -> Counter[str]:
    found: Counter[str] = Counter()
    for some in _batches((await stores_named(pool, None)).values()):
        async with scoped(pool, some) as conn:
            for row in await table.peoples_keys(conn):
                found[row["key"]] += row["texts"]
    return found


async def _reseal_accounts(pool: Pool, secrets: Secrets, tell: Tell) -> None:
    stores, done = list((await stores_named(pool, None)).values()), 0
    for some in _batches(stores):
        async with scoped(pool, some) as conn:
            for row in await table.held(conn, some):
                await _reseal_row(conn, row, secrets)
            for store in some:
                await _reseal_trees(conn, store, secrets)
        done += len(some)
        tell(done, len(stores))


async def _reseal_names(pool: Pool, secrets: Secrets, tell: Tell) -> None:
    """Whom open requests and words that wait are about, and the keys of exports that are to be fetched."""
    stores = list((await stores_named(pool, None)).values())
    for done, store in enumerate(stores, 1):
        for place in PEOPLES:
            after: tuple[Any, ...] | None = place.least
            while after is not None:
                after = await _reseal_names_after(pool, store, place, after, secrets)
        tell(done, len(stores))


async def _reseal_names_after(
    pool: Pool, store: UUID, place: PeoplesColumn, after: tuple[Any, ...], secrets: Secrets
) -> tuple[Any, ...] | None:
    """The next of a store's, in a transaction of their own; which was the last of them."""
    async with scoped(pool, {store}) as conn:
        rows = await table.peoples_after(conn, store, place, after, _NAMES)
        before = {tuple(row[name] for name in place.key): row["text"] for row in rows}
        texts = {key: _resealed_text(text, store, place.name, secrets) for key, text in before.items()}
        if changed := {key: text for key, text in texts.items() if text != before[key]}:
            await table.put_peoples(conn, store, place, changed)
            await note(conn, "keys rotate", store=store, thing=f"{place.name} sealed anew with key {secrets.key_id}")
    return next(reversed(before), None)


def _batches(stores: Iterable[UUID]) -> Iterator[list[UUID]]:
    rest = iter(stores)
    while some := list(islice(rest, _STORES)):
        yield some


async def _reseal_row(conn: Connection, row: Row, secrets: Secrets) -> None:
    before = {name: row[name] for name in table.COLUMNS}
    after = {name: _resealed(text, row["organization_id"], name, secrets) for name, text in before.items()}
    if after != before:
        await table.put(conn, row["id"], after)
        await note(conn, "keys rotate", store=row["organization_id"], thing=f"sealed anew with key {secrets.key_id}")


async def _reseal_trees(conn: Connection, store: UUID, secrets: Secrets) -> None:
    """The keys of the store's sealed records; the doors read them again, for their copies on disk."""
    await seals.hold(conn, store)
    trees = {row["id"]: row["tree"] for row in await seals.of_store(conn, store)}
    after = {one: _resealed_text(text, store, TREE, secrets) for one, text in trees.items()}
    if after != trees:
        for one, text in after.items():
            await seals.reseal(conn, store, one, text)
        await seals.changed(conn, store)
        await note(conn, "keys rotate", store=store, thing=f"keys of records sealed anew with key {secrets.key_id}")


def _resealed(text: str | None, organization: UUID, column: str, secrets: Secrets) -> str | None:
    if text is None:
        return None
    return _resealed_text(text, organization, table.sealed_for(column), secrets)


def _resealed_text(text: str, organization: UUID, place: str, secrets: Secrets) -> str:
    if sealed_with(text) == secrets.key_id:
        return text
    try:
        opened = secrets.open(text, organization=organization, column=place)
    except Sealed:
        return text
    return secrets.seal(opened, organization=organization, column=place)
