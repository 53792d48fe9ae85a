"""Conversations from before a store was attached: read through the API, sent through the same topic as webhooks.

A conversation is remembered once its record is acknowledged. Whatever dies in between, it is read again, and its facts
are known by their keys.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from db.pool import scoped
from db.reporting import imports as table
from schemas.chatwoot import rest
from schemas.topics import WEBHOOKS
from services.conversations.chatwoot.account_reader import AccountReader
from services.conversations.chatwoot.cli import asking, reader_for, refusing, stores_asked
from services.kernel import Process, Record, Refusal, Retryable
from services.kernel.actor import note
from services.kernel.chatwoot.chatwoot_client import Gone, Unanswered
from services.kernel.cli.environment import installed
from services.kernel.cli.reaching import reach_topic
from services.kernel.cli.terminal import progress
from services.kernel.clock import Schedule
from services.kernel.sealing.planting import sealer_now
from services.kernel.sealing.sealer import Sealer
from services.kernel.sealing.whose import of_webhook

_IN_FLIGHT = 4  # conversations at once, so that a slow answer does not cost the pace; the pace itself is the client's
_MESSAGES = 100  # in one answer
_OVERLAP = 10  # of two answers: they are sorted by moment but begin after an id, and the two may disagree
_PER_RECORD = 2_000  # messages: 0.4 kB each, far below what the topic takes
# What a Chatwoot may tell without end: pages of 25 conversations, messages of one, and new ones in each pass.
_MOST_PAGES, _MOST_MESSAGES, _MOST_PASSES = 100_000, 200_000, 20
_PAUSES = Schedule((1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0))  # then Chatwoot or Kafka is really away
T = TypeVar("T")
OnProgress = Callable[[int, int], None]  # conversations looked at, of how many
import_ = typer.Typer(no_args_is_help=True, help="What was before a store was attached.")


@import_.callback()
def _import() -> None:
    """What was before a store was attached."""


@import_.command()
def history(
    store: Annotated[str | None, typer.Option(help="the store's short name; left out: every store")] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="all conversations anew, also what webhooks told: after a gap")
    ] = False,
) -> None:
    """Read conversations and messages through Chatwoot's API, at a fifth of the pace, into the topic of the webhooks.

    Ctrl-C and again goes on where it was. Messages are exact to the second; when a conversation was resolved is known
    only about, and reports say how many such moments they hold. Earlier resolutions of one that was reopened, and which
    replies a campaign sent, the API does not tell.
    """
    try:
        counts = asyncio.run(_run(store, everything=everything))
    except KeyboardInterrupt:  # no traceback: each conversation was remembered as it was done
        raise Refusal("interrupted: the same command goes on where it was") from None
    for name, number in counts.items():
        print(f"{name}: {number} conversations read")


async def _run(store: str | None, *, everything: bool) -> dict[str, int]:
    async with asking(installed()) as process:
        await reach_topic(process, WEBHOOKS)
        counts = {}
        for name, organization in (await stores_asked(process, store)).items():
            account = await reader_for(process, name, organization)
            async with scoped(process.pool(), {organization}) as conn:
                await note(conn, "import history", store=organization, thing="everything" if everything else "the rest")
            with refusing(name), progress(name) as tell:
                counts[name] = await HistoryImport(process, account, everything=everything).run(tell)
    return counts


class HistoryImport:
    """One store's import."""

    def __init__(self, process: Process, account: AccountReader, *, everything: bool = False) -> None:
        self._process = process
        self._account = account
        self._everything = everything
        self._done: set[int] = set()
        self._sealer: Sealer | None = None

    async def run(self, progress: OnProgress) -> int:
        """Import until nothing is left; how many were read. Raises Unanswered, and Retryable after long waiting."""
        process, store = self._process, self._account.store
        async with scoped(process.pool(), {store}) as conn:
            self._sealer = await sealer_now(conn, store, process.secrets, process.clock.now())
            if not self._everything:
                self._done = await table.imported(conn, store)
        total = 0
        for _ in range(_MOST_PASSES):
            read = await self._pass(progress)
            total += read
            if not read:
                break
        return total

    async def _pass(self, progress: OnProgress) -> int:
        """Once through the list, which moves while people talk: so another pass looks whether anything was missed."""
        seen, read = 0, 0
        async for page in self._pages():
            of = max(page.meta.all_count, seen + len(page.payload))
            for start in range(0, len(page.payload), _IN_FLIGHT):
                some = page.payload[start : start + _IN_FLIGHT]
                read += sum(await asyncio.gather(*(self._import(one) for one in some if self._is_wanted(one))))
                seen += len(some)
                progress(seen, of)
        return read

    async def _pages(self) -> AsyncIterator[rest.Page]:
        """The list, oldest first where the release can sort it so, until its empty page."""
        for number in range(1, _MOST_PAGES):
            query = {"status": "all", "assignee_type": "all", "sort_by": "created_at_asc", "page": number}
            page = (await self._ask("conversations", rest.Conversations, query)).data
            if not page.payload:
                return
            yield page
        raise Unanswered("Chatwoot's list of conversations does not end")

    def _is_wanted(self, one: rest.ApiConversation) -> bool:
        begun_before = one.created_at < self._account.attached_at.timestamp()
        return one.id not in self._done and (self._everything or begun_before)

    async def _import(self, one: rest.ApiConversation) -> bool:
        """False if it was deleted meanwhile."""
        try:
            messages = await self._messages(one.id)
        except Gone:
            return False
        # At least one record: a conversation without messages has a state, too.
        for start in range(0, max(1, len(messages)), _PER_RECORD):
            part = rest.History(conversation=one, messages=tuple(messages[start : start + _PER_RECORD]))
            await self._patiently(self._process.publisher.publish, self._record(part))
        # After Kafka has it: what dies in between is read again, and its facts are known by their keys.
        async with scoped(self._process.pool(), {self._account.store}) as conn:
            await table.done(conn, self._account.store, [one.id])
        self._done.add(one.id)
        return True

    async def _messages(self, conversation: int) -> Sequence[rest.ApiMessage]:
        found: dict[int, rest.ApiMessage] = {}
        after = 0
        while True:
            path = f"conversations/{conversation}/messages"
            more = (await self._ask(path, rest.Messages, {"after": after})).payload
            found |= {one.id: one for one in more}
            if len(more) < _MESSAGES:
                return list(found.values())
            before, after = after, sorted(one.id for one in more)[-_OVERLAP]
            if after <= before or len(found) > _MOST_MESSAGES:
                raise Unanswered(f"Chatwoot's messages of conversation {conversation} do not end")

    async def _ask(self, path: str, form: type[T], query: dict[str, Any]) -> T:
        return await self._patiently(partial(self._account.get, query=query), path, form)

    async def _patiently(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        for seconds in _PAUSES.seconds:
            try:
                return await work(*arguments)
            except Retryable:
                await self._process.clock.sleep(seconds)
        return await work(*arguments)

    def _record(self, part: rest.History) -> Record:
        subject = f"conversation:{part.conversation.id}"
        record = Record.accepted(
            WEBHOOKS.name,
            key=f"{self._account.store}:{subject}".encode(),
            value=part.model_dump_json().encode(),
            store=self._account.store,
            event=rest.CONVERSATION,
            origin="import",
            received_at=self._process.clock.now(),
        )
        if self._sealer is None:
            return record
        return self._sealer.sealed(record, of_webhook(rest.CONVERSATION, subject, part.conversation.model_dump()))
