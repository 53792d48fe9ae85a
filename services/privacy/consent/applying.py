"""A word that was heard is applied to what was kept before: to all that the person is known by, whoever heard it.

What comes afterwards is judged in the transaction that keeps it. Whoever dies in between leaves the word waiting, and
the same is done again.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

import structlog

from db import stores
from db.pool import PRIVACY, scoped
from db.privacy import consents as table
from db.privacy import erasing, unnamed_chats
from services.kernel import Process, Sealed
from services.kernel.consent.chats import ChatConsent
from services.kernel.consent.words import ConsentWord, ConsentWords, Source
from services.kernel.every import each
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.erasures.page_events import unname
from services.privacy.who import PersonNames, find

_AT_ONCE = 100
_TURN_SECONDS = 5.0  # then it is asked anew who waits: a word that came meanwhile is its store's first
_PAGE = 500
_NO_NAMES = ("conversation",)  # nobody is asked by it
log = structlog.get_logger()


async def turn(process: Process) -> bool:
    """For `every`: some of what waits in any store; whether there may be more."""
    known = await stores.all_ids(process.pool(PRIVACY))
    return await apply_waiting(process, known) > 0


async def settle_all(process: Process) -> bool:
    """For `every`: the chats of every store, for who is who may have become known since a word was heard."""

    async def settle(store: UUID) -> None:
        await settle_store(process, store)

    await each(await stores.all_ids(process.pool(PRIVACY)), settle)
    return False


async def apply_waiting(process: Process, known: Collection[UUID]) -> int:
    """Of these stores, so many words at most, the first of each before the second of any; how many were seen to."""
    async with scoped(process.pool(PRIVACY), known) as conn:
        rows = await table.waiting(conn, known, _AT_ONCE)
    over_at, seen_to = process.clock.monotonic() + _TURN_SECONDS, 0
    for _, some in groupby(rows, key=itemgetter("turn")):
        by_store = {row["organization_id"]: row for row in some}
        await each(by_store, lambda store, its=by_store: _apply(process, its[store]))  # type: ignore[misc]
        seen_to += len(by_store)
        if process.clock.monotonic() > over_at:
            break
    return seen_to


async def apply_word(process: Process, word: ConsentWord) -> None:
    """This one alone, though others of its store may wait longer."""
    for row in ConsentWords(process.secrets).rows(word):
        await _apply(process, row._asdict())


async def _apply(process: Process, row: Mapping[str, Any]) -> None:
    words, store = ConsentWords(process.secrets), row["organization_id"]
    try:
        word = _word(words, row)
    except Sealed as reason:
        # Another installation key sealed the name: what comes from now on obeys the word anyway.
        log.error("consent_cannot_be_applied", store=str(store), reason=str(reason))
        await _done(process, row)
        return
    person = await _known(process, words, word)
    if word.purpose == "chat":
        await _settle(process, store, sorted(person.contact_ids))
    elif not word.given:
        await _forget_pages(process, person, word)
    await _done(process, row)


async def _known(process: Process, words: ConsentWords, word: ConsentWord) -> PersonNames:
    """Who said it, and from now on the word stands under each of their names.

    Held, their store keeps nothing, nor does whoever shares a batch with it. So they are looked up in between, for that
    walks all that the store's pages ever told.
    """
    privacy, stores = process.pool(PRIVACY), {word.store}
    async with scoped(privacy, stores) as conn:
        # Whoever did not know of the word has committed when this returns.
        await table.hold(conn, word.store)
    async with scoped(privacy, stores) as conn:
        person = await find(conn, word.store, word.subject)
    async with scoped(privacy, stores) as conn:
        # Nor has anybody more to commit who knew it by the one name alone.
        await table.hold(conn, word.store)
        await table.add(conn, words.rows(word, _names(person, word.subject), to_apply=False))
    return person


def _names(person: PersonNames, asked: Subject) -> set[Subject]:
    return {asked, *(one for one in person.subjects if one.kind not in _NO_NAMES)}


def _word(words: ConsentWords, row: Mapping[str, Any]) -> ConsentWord:
    return ConsentWord(
        store=row["organization_id"],
        subject=words.opened(row["organization_id"], row["subject"]),
        purpose=row["purpose"],
        given=row["given"],
        said_at=row["said_at"],
        source=cast("Source", row["source"]),
        text_version=row["text_version"],
    )


async def _forget_pages(process: Process, person: PersonNames, word: ConsentWord) -> None:
    await unname(process.pool(PRIVACY), person, word.said_at)
    async with scoped(process.pool(PRIVACY), {word.store}) as conn:
        await erasing.visits(conn, word.store, person.customers, person.sessions, begun_by=word.said_at)


async def _settle(process: Process, store: UUID, contacts: Sequence[int]) -> tuple[int, int]:
    chats = ChatConsent(Pseudonyms(process.secrets))
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        return await chats.settle(conn, store, contacts)


async def settle_store(process: Process, store: UUID) -> tuple[int, int]:
    """Hide or name every contact of the store as its need and their words say now; (hidden, named) conversations."""
    hidden = shown = after = 0
    while contacts := await _unsettled(process, store, after):
        done = await _settle(process, store, contacts)
        hidden, shown, after = hidden + done[0], shown + done[1], contacts[-1]
    return hidden, shown


async def _unsettled(process: Process, store: UUID, after: int) -> list[int]:
    """The next contacts, by number; none where nothing was said or needed, and nobody is hidden."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        consent = (await table.of_stores(conn, {store}))[store]
        if not (consent.chat_said or consent.chat_needed or await unnamed_chats.any_hidden(conn, store)):
            return []
        return await unnamed_chats.contacts_after(conn, store, after, _PAGE)


async def _done(process: Process, row: Any) -> None:
    async with scoped(process.pool(PRIVACY), {row["organization_id"]}) as conn:
        await table.applied(conn, [row])
