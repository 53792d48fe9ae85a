"""What has left here is deleted in Chatwoot, where the store says so, and goes on where it was cut off."""

import uuid
from datetime import timedelta
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from services.privacy.retention import kept_kinds
from services.privacy.retention.in_chatwoot import ChatwootDeletionMetrics, ChatwootDeletions
from tests.answering import Answering
from tests.services.attached import ACCOUNT_ID, attach, authorize
from tests.services.conversations.asked_api import answered_by
from tests.services.privacy.retention.conftest import Installation, swept

_CHAT = (
    "insert into wootstream.conversations (organization_id, conversation_id, started_at, inbox_id)"
    " values ($1, $2, $3, 5)",
    "insert into public.chatwoot_conversations (organization_id, chatwoot_conversation_id, chatwoot_account_id,"
    " last_activity_at) values ($1, $2, $4, $3)",
)


async def _store(installation: Installation, *, in_chatwoot: bool) -> uuid.UUID:
    store: uuid.UUID = await attach(installation.admin)
    await authorize(installation.admin, store, installation.process.secrets)
    await kept_kinds.keep(installation.process, store, "chat", 100, in_chatwoot=in_chatwoot)
    now = installation.clock.now()
    async with installation.admin.acquire() as conn:
        for number, days in ((1, 200), (2, 150), (3, 50)):
            await conn.execute(_CHAT[0], store, number, now - timedelta(days=days))
            await conn.execute(_CHAT[1], store, number, now - timedelta(days=days), ACCOUNT_ID)
    return store


async def test_only_what_left_of_a_store_that_says_so_is_deleted_and_an_outage_only_waits(
    installation: Installation,
) -> None:
    asked: list[tuple[str, str, str]] = []
    busy = True

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.host, request.url.path))
        # The second fails; when it is asked for again, it is gone.
        return httpx.Response(200) if len(asked) == 1 else httpx.Response(503 if busy else 404, json={})

    await answered_by(installation.process, Answering(answer))
    store = await _store(installation, in_chatwoot=True)
    await _store(installation, in_chatwoot=False)
    await swept(installation.sweep())
    installation.clock.ahead = timedelta(hours=2)
    await swept(installation.sweep())
    deletions: Any = ChatwootDeletions(installation.process, metrics := ChatwootDeletionMetrics(CollectorRegistry()))
    await deletions.turn()
    busy, installation.clock.ahead = False, timedelta(hours=3)
    while await deletions.turn():
        pass
    path = f"/api/v1/accounts/{ACCOUNT_ID}/conversations"
    assert asked == [("DELETE", f"{store.hex}.example", f"{path}/{number}") for number in (1, 2, 2)]
    assert metrics.waiting._value.get() == 0


async def test_who_wants_it_no_longer_has_nothing_deleted(installation: Installation) -> None:
    store = await _store(installation, in_chatwoot=True)
    await swept(installation.sweep())
    installation.clock.ahead = timedelta(hours=2)
    await swept(installation.sweep())
    await kept_kinds.keep(installation.process, store, "chat", 100, in_chatwoot=False)
    await ChatwootDeletions(installation.process, metrics := ChatwootDeletionMetrics(CollectorRegistry())).turn()
    async with installation.admin.acquire() as conn:
        assert await conn.fetchval("select count(*) from wootstream.chatwoot_deletions") == 0
    assert metrics.deleted._value.get() == 0
