"""Conversations that have left here are deleted in Chatwoot, where the store says so: one a second, of all stores.

That is a fortieth of what the sender may call: together they stay far from where Chatwoot says 429. Whoever dies
after a call deletes the conversation again, and hears that it is gone.
"""

from uuid import UUID

import httpx
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from db import stores
from db.pool import PRIVACY, scoped
from db.privacy import chatwoot_deletions as table
from services.kernel import Process, Retryable
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount
from services.kernel.every import each
from services.privacy.erasures.contact_removal import account_of

_GAP_SECONDS = 1.0
_AT_ONCE = 30  # of a store, before the others have theirs
log = structlog.get_logger()


class ChatwootDeletionMetrics:
    """How far it is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Conversations deleted in Chatwoot, or found gone.
        self.deleted = Counter("wootstream_chatwoot_conversations_deleted", "Deleted in Chatwoot", registry=registry)
        # Those that wait. Not falling for a day: the log's `chatwoot_deletion_waits` says why, often a release before
        # 4.3, or a token that is no administrator's.
        self.waiting = Gauge("wootstream_chatwoot_deletions_waiting", "To be deleted in Chatwoot", registry=registry)


class ChatwootDeletions:
    """`turn` is for `every`, in one process of the installation."""

    def __init__(self, process: Process, metrics: ChatwootDeletionMetrics) -> None:
        self._process, self._metrics = process, metrics

    async def turn(self) -> bool:
        """Some of every store; whether there is more that can go at once."""
        everyone = await stores.all_ids(self._process.pool(PRIVACY))
        async with scoped(self._process.pool(PRIVACY), everyone) as conn:
            found = await table.by_store(conn)
        gone: dict[UUID, int] = {}

        async def some(store: UUID) -> None:
            try:
                gone[store] = await self._some(store)
            except Retryable as reason:
                log.warning("chatwoot_deletion_waits", store=str(store), reason=str(reason))

        try:
            await each(found, some)
        finally:
            self._metrics.waiting.set(sum(found.values()) - sum(gone.values()))
        return _AT_ONCE in gone.values()

    async def _some(self, store: UUID) -> int:
        """How many of a store's are gone. Raises Retryable."""
        async with scoped(self._process.pool(PRIVACY), {store}) as conn:
            await table.give_up(conn, store)
            rows = await table.waiting(conn, store, _AT_ONCE)
        account = await account_of(self._process, store) if rows else None
        gone = 0
        for row in rows if account else ():
            if self._process.stopping.is_set():
                break
            assert account is not None
            await _delete(account, row["conversation_id"])
            async with scoped(self._process.pool(PRIVACY), {store}) as conn:
                await table.done(conn, store, row["chatwoot_account_id"], row["conversation_id"])
            self._metrics.deleted.inc()
            gone += 1
            await self._process.clock.wait(_GAP_SECONDS, self._process.stopping)
        return gone


async def _delete(account: ChatwootAccount, conversation: int) -> None:
    answer = await account.call("DELETE", account.path(f"conversations/{conversation}"))
    if not (answer.is_success or answer.status_code == httpx.codes.NOT_FOUND):
        raise Retryable(f"Chatwoot answers {answer.status_code} to the deletion of a conversation")
