"""An erasure: the person is marked first, so that nothing received before brings them back, then leaves step by step.

Each step leaves a proof in the transaction that did it. Whoever dies in between leaves the steps that are done; the
next one goes on from there, and a step that was cut short does the same again. Until the last one the names are kept,
sealed.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from db.pool import PRIVACY, Connection, Pool, scoped
from db.privacy import consents, erased, erasing, people, requests, seals, unnamed_chats
from db.privacy.erased import ErasedRow
from services.kernel import Process, Refusal, Sealed
from services.kernel.actor import note
from services.kernel.errors import describe
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.sealing.shredding import shred
from services.kernel.secrets import Secrets
from services.privacy.asking import asked_in
from services.privacy.erasures import announcement, contact_removal
from services.privacy.erasures.announcement import Announcement
from services.privacy.erasures.by_hash import bearers
from services.privacy.erasures.contact_removal import InChatwoot
from services.privacy.erasures.letter_subjects import may_be_about, records_of
from services.privacy.erasures.page_events import unname
from services.privacy.erasures.sealed_person import opened, sealed
from services.privacy.exports import requested
from services.privacy.who import PersonNames, find_by_all

DEADLINE = timedelta(days=30)  # one month, GDPR art. 12 (3)
# Chatwoot's own numbers are never given twice. Until its contact is gone, and a day for webhooks on their way, whatever
# names one is about the person who was erased.
_UNTIL_SETTLED = timedelta(days=60)
_WEBHOOKS_UNDER_WAY = timedelta(days=1)
_CHATWOOTS_OWN = ("contact", "conversation")
_LETTERS = 200
Do = Callable[["Erasure", Connection], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Erasure:
    """One that is under way."""

    process: Process
    store: UUID
    request: UUID
    asked_at: datetime
    person: PersonNames
    in_chatwoot: InChatwoot
    source: str

    @property
    def pool(self) -> Pool:
        return self.process.pool(PRIVACY)

    @property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.process.secrets)

    def digests(self, *kinds: str) -> list[bytes]:
        chosen = [one for one in self.person.subjects if not kinds or one.kind in kinds]
        return sorted(digest for one in chosen for digest in self.pseudonyms.of(self.store, one))


async def look(process: Process, store: UUID, *names: Subject) -> PersonNames:
    """Who would be erased; changes nothing. Raises Refusal for whom the law bids to keep."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        person = await find_by_all(conn, store, names)
        await _refuse_held(conn, Pseudonyms(process.secrets), person)
        return person


async def begin(
    process: Process,
    store: UUID,
    *names: Subject,
    in_chatwoot: InChatwoot = "delete",
    source: str = "verb",
    request: UUID | None = None,
    orders: Collection[str] = (),
) -> Erasure:
    """From the commit of this on nothing received before is applied any more. Raises Refusal for who must be kept.

    `request` is that of a row which asks for it; without, it is a new one. `orders` are those that a shop named with
    them, for the proof.
    """
    # Looked up first: it may take long, and while the ledger is held nobody applies anything.
    person = await look(process, store, *names)
    erasure = Erasure(process, store, request or uuid4(), process.clock.now(), person, in_chatwoot, source)
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        # Whoever applies a batch now has done so when this returns, and whoever comes next knows of it.
        await erased.hold_consumers(conn)
        await _refuse_held(conn, erasure.pseudonyms, person)
        await _mark(conn, erasure, _marks(erasure), await _named_orders(conn, person, orders))
        await note(conn, "privacy erase", store=store, thing=f"request {erasure.request}")
    return await _looked_again(erasure)


async def _looked_again(erasure: Erasure) -> Erasure:
    """With the names that came between the first look and the mark."""
    store, request = erasure.store, erasure.request
    async with scoped(erasure.pool, {store}) as conn:
        whole = erasure.person.with_names_of(
            await find_by_all(conn, store, (erasure.person.asked, *erasure.person.also))
        )
        if whole == erasure.person:
            return erasure
        now_whole = replace(erasure, person=whole)
        await erased.add(conn, _marks(now_whole))
        subject = sealed(erasure.process.secrets, whole, erasure.in_chatwoot)
        await requests.move(conn, store, request, "running", subject=subject)
        return now_whole


async def begin_again(process: Process, store: UUID, request: UUID, told: Announcement) -> Erasure:
    """One that the topic tells of and this database does not know, for it was put back from before: whoever bears here
    one of the names that it has the hashes of."""
    # An emptied contact may have become a person again since; a deleted one cannot.
    how: InChatwoot = "delete" if told.in_chatwoot == "delete" else "keep"
    until = told.asked_at + (_WEBHOOKS_UNDER_WAY if how == "delete" else timedelta(0))
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        await erased.hold_consumers(conn)
        await erased.add(conn, [
            ErasedRow(
                organization_id=store,
                digest=digest,
                received_before=whole_second(until if kind in _CHATWOOTS_OWN else told.asked_at),
                request_id=request,
            )
            for digest, kind in told.digests.items()
        ])  # fmt: skip
    # Every name of the store is hashed, and nobody waits for that. Whoever dies before it is done begins again.
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        person = await bearers(conn, Pseudonyms(process.secrets), store, told.digests)
        erasure = Erasure(process, store, request, told.asked_at, person, how, "topic")
        await _mark(conn, erasure, [])
        await requests.step_done(conn, store, request, "published", {"topic": "it came from there"})
        await note(conn, "privacy replay", store=store, thing=f"request {request}")
    return erasure


async def _named_orders(conn: Connection, person: PersonNames, orders: Collection[str]) -> dict[str, Any]:
    """Which orders the shop named, and how many of them are theirs here; the others' owners are not touched."""
    if not orders:
        return {}
    theirs = await people.orders(conn, person.store, person.customers)
    return {"orders to redact": sorted(orders), "of them here": len(theirs & {*orders})}


async def _mark(
    conn: Connection, erasure: Erasure, marks: Sequence[ErasedRow], proof: Mapping[str, Any] = MappingProxyType({})
) -> None:
    store, request = erasure.store, erasure.request
    await erased.add(conn, marks)
    subject = sealed(erasure.process.secrets, erasure.person, erasure.in_chatwoot)
    await requests.add(
        conn, store, request, kind="erasure", source=erasure.source, asked_at=erasure.asked_at,
        deadline=erasure.asked_at + DEADLINE, subject=subject,
    )  # fmt: skip
    await requests.move(conn, store, request, "running", subject=subject)
    await requests.step_done(conn, store, request, "marked", {"names": len(erasure.person.subjects), **proof})


async def _resumed(process: Process, conn: Connection, store: UUID, request: UUID) -> Erasure | None:
    """One that somebody began; None where it is settled. Raises Sealed."""
    row = await requests.one(conn, store, request)
    if row is None or row["state"] != "running" or row["subject"] is None:
        return None
    person, in_chatwoot = opened(process.secrets, store, row["subject"])
    return Erasure(process, store, request, row["asked_at"], person, in_chatwoot, row["source"])


async def resume(process: Process, store: UUID, request: UUID) -> Erasure | None:
    """The same; who died before the second look, takes it."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        erasure = await _resumed(process, conn, store, request)
        done = await requests.steps_done(conn, store, request)
    if erasure is None or erasure.source == "topic" or done != {"marked"}:
        return erasure
    return await _looked_again(erasure)


async def carry_on(erasure: Erasure) -> dict[str, str]:
    """Do what is left; step → why it could not be done yet. Empty: the person is forgotten."""
    async with scoped(erasure.pool, {erasure.store}) as conn:
        done = await requests.steps_done(conn, erasure.store, erasure.request)
    waiting: dict[str, str] = {}
    for name, step in STEPS.items():
        if name in done:
            continue
        if name == "swept" and waiting:  # the last look is taken once all else is done
            break
        try:
            await step(erasure, name)
        except Exception as error:  # whatever it is, the other steps need not wait for it
            waiting[name] = describe(error)
    return waiting


def whole_second(moment: datetime) -> datetime:
    """Its end: a record's keys are a second's, so what is dropped and what cannot be opened are the same."""
    return moment.replace(microsecond=999_999)


def _marks(erasure: Erasure) -> list[ErasedRow]:
    until = erasure.asked_at + (_UNTIL_SETTLED if erasure.in_chatwoot == "delete" else timedelta(0))
    return [
        ErasedRow(
            organization_id=erasure.store,
            digest=digest,
            received_before=whole_second(until if subject.kind in _CHATWOOTS_OWN else erasure.asked_at),
            request_id=erasure.request,
        )
        for subject in erasure.person.subjects
        for digest in erasure.pseudonyms.of(erasure.store, subject)
    ]


async def _refuse_held(conn: Connection, pseudonyms: Pseudonyms, person: PersonNames) -> None:
    digests = [digest for one in person.subjects for digest in pseudonyms.of(person.store, one)]
    if reason := await requests.held(conn, person.store, digests):
        raise Refusal(f"the law bids to keep this person's data: {reason} (`wootstream privacy hold --lift` ends that)")


async def _publish(erasure: Erasure, name: str) -> None:
    """An older database that is put back hears of it again from the topic."""
    digests = {
        digest: subject.kind
        for subject in erasure.person.subjects
        for digest in erasure.pseudonyms.of(erasure.store, subject)
    }
    announced = Announcement(erasure.request, erasure.asked_at, erasure.in_chatwoot, digests)
    place = await announcement.publish(erasure.process, erasure.store, announced)
    async with scoped(erasure.pool, {erasure.store}) as conn:
        await requests.step_done(conn, erasure.store, erasure.request, name, {"topic": place})


async def _events(erasure: Erasure, name: str) -> None:
    changed = await unname(erasure.pool, erasure.person)
    async with scoped(erasure.pool, {erasure.store}) as conn:
        await requests.step_done(conn, erasure.store, erasure.request, name, {"chatwoot_widget_events": changed})


async def _letters(erasure: Erasure, name: str) -> None:
    """Also those that no service could read: by the names in their bytes."""
    store, after, seen, forgotten = erasure.store, 0, 0, 0
    while True:
        async with scoped(erasure.pool, {store}) as conn:
            letters = await erasing.letters_after(conn, store, after, _LETTERS)
            theirs = [
                row["id"]
                for row, record in await records_of(conn, erasure.process.opener, store, letters)
                if record is None or may_be_about(record, erasure.person.subjects)
            ]
            forgotten += await erasing.forget_letters(conn, store, theirs)
        if not letters:
            break
        after, seen = letters[-1]["id"], seen + len(letters)
    async with scoped(erasure.pool, {store}) as conn:
        proof = {"dead_letters": forgotten, "looked at": seen}
        await requests.step_done(conn, store, erasure.request, name, proof)


async def _keys(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    """What was received before cannot be opened any more. By the marks, which one that the topic tells of has, too."""
    return {"trees of keys": await _shred(erasure, conn, no_later_than=erasure.asked_at)}


async def _shred(erasure: Erasure, conn: Connection, *, no_later_than: datetime) -> int:
    marks = {row["digest"]: row["received_before"] for row in await seals.marks(conn, erasure.store, erasure.request)}
    until = {digest: min(moment, whole_second(no_later_than)) for digest, moment in marks.items()}
    return await shred(conn, erasure.store, erasure.process.secrets, until)


async def _visits(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    person = erasure.person
    return {"visits": await erasing.visits(conn, erasure.store, person.customers, person.sessions)}


async def _customers(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    return await erasing.customers(conn, erasure.store, erasure.person.customers)


async def _contacts(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    return await erasing.contacts(conn, erasure.store, erasure.person.contact_ids)


async def _conversations(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    person = erasure.person
    return await erasing.conversations(conn, erasure.store, person.contact_ids, person.conversations)


async def _words(erasure: Erasure, conn: Connection) -> dict[str, Any]:
    """What they agreed to, and the hashes by which their chats could be named again."""
    digests = erasure.digests()
    return {
        "consents": await consents.forget(conn, erasure.store, digests),
        "unnamed chats": await unnamed_chats.forget(conn, erasure.store, digests),
    }


async def _in_chatwoot(erasure: Erasure, name: str) -> None:
    proof = await contact_removal.remove(
        erasure.process, erasure.store, erasure.person, erasure.in_chatwoot, by_names=erasure.source != "topic"
    )
    now = erasure.process.clock.now()
    async with scoped(erasure.pool, {erasure.store}) as conn:
        until = whole_second(now + _WEBHOOKS_UNDER_WAY if erasure.in_chatwoot == "delete" else now)
        await erasing.settle(conn, erasure.store, erasure.digests(*_CHATWOOTS_OWN), until)
        await requests.step_done(conn, erasure.store, erasure.request, name, proof)


async def _sweep(erasure: Erasure, name: str) -> None:
    """Once more, for what was under way: the sender may have had an answer of Chatwoot's in hand. Then it is done."""
    async with scoped(erasure.pool, {erasure.store}) as conn:
        again = [await step(erasure, conn) for step in (_visits, _customers, _contacts, _conversations, _words)]
        rows = sum(count for proof in again for count in proof.values())
        # Chatwoot's own numbers were marked beyond the erasure; by now it is settled until when.
        await _shred(erasure, conn, no_later_than=datetime.max.replace(tzinfo=UTC))
        await requests.step_done(conn, erasure.store, erasure.request, name, {"rows": rows})
        await requests.move(conn, erasure.store, erasure.request, "done")


def _at_once(do: Do) -> Callable[[Erasure, str], Awaitable[None]]:
    async def step(erasure: Erasure, name: str) -> None:
        async with scoped(erasure.pool, {erasure.store}) as conn:
            proof = await do(erasure, conn)
            await requests.step_done(conn, erasure.store, erasure.request, name, proof)

    return step


def _asked_names(secrets: Secrets, store: UUID, subject: str | None) -> tuple[Subject, ...]:
    """None where a key sealed it that is there no longer: then nobody can make that export or open its file either."""
    try:
        return asked_in(secrets, store, subject).names if subject else ()
    except Sealed:
        return ()


async def _exports(erasure: Erasure, name: str) -> None:
    """What is made or to be made for them to see is not shown any more. The row loses its key, wherever the file is."""
    known = {erasure.person.asked, *erasure.person.also, *erasure.person.subjects}
    secrets, refused = erasure.process.secrets, 0
    async with scoped(erasure.pool, {erasure.store}) as conn:
        for row in await requests.open_of_store(conn, erasure.store, requested.KINDS):
            if known.intersection(_asked_names(secrets, erasure.store, row["subject"])):
                await requests.move(conn, erasure.store, row["id"], "refused", reason="the person was erased meanwhile")
                refused += 1
        await requests.step_done(conn, erasure.store, erasure.request, name, {"exports": refused})


STEPS: dict[str, Callable[[Erasure, str], Awaitable[None]]] = {
    "published": _publish,
    "events": _events,
    "letters": _letters,
    "keys": _at_once(_keys),
    "exports": _exports,
    "visits": _at_once(_visits),
    "customers": _at_once(_customers),
    "contacts": _at_once(_contacts),
    "conversations": _at_once(_conversations),
    "consent": _at_once(_words),
    "chatwoot": _in_chatwoot,
    "swept": _sweep,
}
