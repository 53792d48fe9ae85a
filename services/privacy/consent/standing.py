"""What a person has said, what counts of it, and what a store needs."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.pool import PRIVACY, scoped
from db.privacy import consents as table
from schemas.values.consent import PURPOSES, Purpose
from services.kernel import Process, Refusal
from services.kernel.actor import note
from services.kernel.consent.words import ConsentWord, ConsentWords, Source
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.consent.applying import apply_word, settle_store
from services.privacy.who import find

_AHEAD = timedelta(minutes=10)


async def say(
    process: Process,
    store: UUID,
    asked: Subject,
    purpose: Purpose,
    *,
    given: bool,
    source: Source,
    said_at: datetime | None = None,
    text_version: str | None = None,
) -> bool:
    """Write a word down and apply it; whether it is news. Raises Refusal for one from the future."""
    now = process.clock.now()
    at = said_at or now
    if at > now + _AHEAD:
        raise Refusal(
            "nobody can have said it in the future: a word that is dated ahead would win over all that follow"
        )
    word = ConsentWord(store, asked, purpose, given, at, source, text_version)
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        news = await ConsentWords(process.secrets).add(conn, [word])
        action = "consent give" if given else "consent withdraw"
        await note(conn, action, store=store, thing=f"{purpose}, a person by {asked.kind}")
    await apply_word(process, word)
    return bool(news)


async def standing(process: Process, store: UUID, asked: Subject) -> dict[str, Any]:
    """By purpose what counts now, and every word, the oldest first."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        person = await find(conn, store, asked)
        pseudonyms = Pseudonyms(process.secrets)
        digests = [digest for one in {asked, *person.subjects} for digest in pseudonyms.of(store, one)]
        words = [dict(row) for row in await table.listed(conn, store, digests)]
        needed = await table.needed(conn, store)
        await note(conn, "consent show", store=store, thing=f"a person by {asked.kind}")
    return {"now": {purpose: _now(words, purpose, needed) for purpose in PURPOSES}, "words": words}


def _now(words: Collection[dict[str, Any]], purpose: str, needed: Collection[str]) -> dict[str, Any]:
    """Of one moment the word that takes back counts."""
    said = [one for one in words if one["purpose"] == purpose]
    newest = max(said, key=lambda one: (one["said_at"], not one["given"]), default=None)
    state = "nothing said" if newest is None else "given" if newest["given"] else "withdrawn"
    return {"state": state, "since": newest and newest["said_at"], "needed": purpose in needed}


async def need(process: Process, store: UUID, purposes: Collection[str]) -> tuple[int, int]:
    """Let the store need consent for these alone; (hidden, named) conversations. Raises Refusal for another purpose."""
    if unknown := set(purposes) - set(PURPOSES):
        raise Refusal(f"{', '.join(sorted(unknown))[:80]} is no purpose; there are: {', '.join(PURPOSES)}")
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        await table.need(conn, store, purposes)
        await note(conn, "consent need", store=store, thing=", ".join(sorted(purposes)) or "nothing")
    return await settle_store(process, store)
