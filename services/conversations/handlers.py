"""Keep what is news, reckon the touched conversations again, say whose contact attributes may have moved."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from uuid import UUID

import structlog

from db.people import due
from db.pool import Connection
from db.privacy.unnamed_chats import ContactKey
from db.reporting import account_details, conversations
from services.conversations import repository
from services.conversations.events import ConversationFacts, FactBatch, Key, without_contact
from services.conversations.figures.checkpoint import Checkpoint, advance, resume
from services.conversations.figures.facts import Change, Facts, Message, Snapshot
from services.conversations.figures.figures import figures
from services.conversations.repository import Head, Reckoned, UnnamedContact
from services.conversations.store_rules import StoreRules, known_stores
from services.kernel import Record

log = structlog.get_logger()
AsksWithheld = Callable[[Connection, Collection[ContactKey]], Awaitable[Mapping[ContactKey, bytes]]]


async def nobody_withheld(_conn: Connection, _contacts: Collection[ContactKey]) -> Mapping[ContactKey, bytes]:
    """Where every contact may be named."""
    return {}


async def keep(
    conn: Connection, events: Sequence[ConversationFacts], withheld: AsksWithheld = nobody_withheld
) -> set[Record]:
    """Apply a batch; answers the records that told something new. `withheld` says who must not be named in it."""
    unnamed = await _unnamed(conn, events, withheld)
    batch = FactBatch([without_contact(event) if event.key in unnamed else event for event in events])
    # Locked before anything is kept: the second of two batches about one conversation reckons with what the first kept.
    heads = await repository.lock(conn, batch.keys)
    snapshots, refreshed = batch.refresh({key: head.snapshot for key, head in heads.items()})
    new = await repository.keep(conn, batch)
    # A repeat that was sent later is no news, but it is later: else what counts would depend on the order of arrival.
    moved = {key for key, seen in snapshots.items() if seen.freshness != _freshness(heads[key])}
    touched = {key: snapshots[key] for key in {key for key, _ in new} | moved}
    if touched:
        await _reckon(conn, touched, heads, await known_stores(conn, events), batch.facts_of(new), unnamed)
    return batch.sources(new) | set(refreshed)


def _freshness(head: Head) -> object:
    return head.snapshot.freshness if head.snapshot else None


async def reckon_again(conn: Connection, keys: Collection[Key]) -> None:
    """The same facts by rules that changed."""
    heads = await repository.lock(conn, keys) if keys else {}
    known = {key: head.snapshot for key, head in heads.items() if head.snapshot}
    if known:
        await _reckon(conn, known, heads, await known_stores(conn, ()), {}, {})


async def _reckon(
    conn: Connection,
    touched: Mapping[Key, Snapshot],
    heads: Mapping[Key, Head],
    stores: Mapping[UUID, StoreRules],
    news: Mapping[Key, Sequence[Message | Change]],
    unnamed: Mapping[Key, UnnamedContact],
) -> None:
    checkpoints = {
        key: resume(heads[key].checkpoint, stores[key[0]].rules(seen.state.inbox_id), news.get(key, ()))
        for key, seen in touched.items()
    }
    known = await repository.load(conn, touched, checkpoints)
    if known is None:
        for half in _halves(touched):
            await _reckon(conn, half, heads, stores, news, unnamed)
        return
    if too_long := touched.keys() - known.keys():
        # Reports and `explain conversation` tell of it, as long as it is so.
        await conversations.put_off(conn, too_long)
        log.warning("conversations_are_too_long", conversations=len(too_long), first=" ".join(map(str, min(too_long))))
    if not known:
        return
    # Sorted, as they were locked: the statements that put rows want it so.
    reckoned = [_figures(key, known[key], stores[key[0]], checkpoints[key]) for key in sorted(known)]
    await repository.put(conn, reckoned, heads, unnamed)
    await account_details.note(conn, {id_ for one in reckoned for id_ in _named(one)})
    await due.mark(conn, [person for one in reckoned for person in _due(one, heads[one.key])])


def _halves(touched: Mapping[Key, Snapshot]) -> Iterator[Mapping[Key, Snapshot]]:
    keys = sorted(touched)
    middle = len(keys) // 2
    for part in (keys[:middle], keys[middle:]):
        yield {key: touched[key] for key in part}


async def _unnamed(
    conn: Connection, events: Sequence[ConversationFacts], withheld: AsksWithheld
) -> dict[Key, UnnamedContact]:
    """The conversations of the batch that must not name their contact."""
    whose = {event.key: contact for event in events if (contact := event.facts.snapshot.state.contact_id) is not None}
    digests = await withheld(conn, {(store, contact) for (store, _), contact in whose.items()})
    return {
        key: UnnamedContact(contact, digests[key[0], contact])
        for key, contact in whose.items()
        if (key[0], contact) in digests
    }


def _figures(key: Key, facts: Facts, store: StoreRules, checkpoint: Checkpoint | None) -> Reckoned:
    inbox = facts.snapshot.state.inbox_id
    rules = store.rules(inbox)
    ours = figures(facts, rules, checkpoint.life if checkpoint else None)
    name = store.inboxes[inbox].name if inbox in store.inboxes else None
    return Reckoned(key, facts.snapshot, ours, store.account_id, name, advance(facts, rules, checkpoint))


def _named(one: Reckoned) -> Iterator[tuple[UUID, str, int]]:
    """Whose names reports will need."""
    state = one.figures.state
    # A bot's id is of another kind than an agent's.
    if state.assignee_id is not None and state.assignee_type == "User":
        yield one.key[0], "agent", state.assignee_id
    if state.team_id is not None:
        yield one.key[0], "team", state.team_id


def _due(one: Reckoned, before: Head) -> Iterator[tuple[UUID, str]]:
    """Whose attributes depend on it: a conversation begun, turned or rated."""
    rating = one.figures.rating.rating if one.figures.rating else None
    # Not for each message: status and rating are all that attributes depend on.
    if one.figures.state.contact_id is not None and (before.status, before.rating) != (
        one.figures.state.status,
        rating,
    ):
        yield one.key[0], f"contact:{one.figures.state.contact_id}"
