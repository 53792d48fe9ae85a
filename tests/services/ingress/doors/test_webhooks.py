"""Chatwoot's door: what is signed is kept byte for byte, what is not reaches no topic."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.pool import Pool
from schemas.topics import WEBHOOKS
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.recordings.recorded import ALL_RUNS, account_webhooks, stores
from tests.services.ingress.bench import Shop, held, open_shop, post_webhook, serving, signed
from tests.services.ingress.wire import request, wire

pytestmark = pytest.mark.usefixtures("topics")
_BODY = b'{"event":"message_created","id":9,"account":{"id":3},"conversation":{"id":7}}'
_REFUSED: list[tuple[bytes, dict[str, Any], int, str]] = [
    (_BODY, {"secret": "wrong"}, 401, "bad_signature"),
    (_BODY, {"at": datetime.now(UTC) - timedelta(hours=2)}, 401, "skewed"),
    (_BODY, {"at": datetime.now(UTC) + timedelta(hours=2)}, 401, "skewed"),
    (_BODY, {"path": "/webhooks/chatwoot/nobody"}, 401, "unknown_store"),
    (b'{"event":"message_created","account":{"id":4}}', {}, 403, "other_account"),
    (b'{"event":"conversation_updated","messages":[{"account_id":4}]}', {}, 403, "other_account"),
    (b"{", {}, 400, "not_json"),
    (b"[" * 10_000, {}, 400, "too_deep"),
    (_BODY[:-1] + b',"x":[' + b"[]," * 60_000 + b"[]]}", {}, 413, "too_many_values"),
    (b'["event"]', {}, 400, "no_event"),
    (b'{"event":7}', {}, 400, "no_event"),
    (b'{"event":"x","a":"' + b"a" * 5 * 2**20 + b'"}', {}, 413, "too_large"),
]


def now() -> datetime:
    return datetime.now(UTC)


async def test_recordings_shuffled_over_four_connections_lie_in_the_topic_byte_for_byte(
    settings: Settings, admin_pool: Pool
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    shops, sent = dict[str, Shop](), []
    for run in ALL_RUNS:
        for store in stores(run):
            shops[store["name"]] = await open_shop(admin_pool, settings, account_id=store["account"])
        sent += [(shops[one.store], one.body) for one in account_webhooks(run)]
    random.Random(seed).shuffle(sent)

    async with serving(settings) as (process, _):
        answers = await asyncio.gather(*(_post_all(process.address, sent[number::4]) for number in range(4)))
    records = await held(settings, WEBHOOKS, *(shop.id for shop, _ in sent))

    assert {status for statuses in answers for status in statuses} == {204}
    assert sorted((one.store, one.value) for one in records) == sorted((shop.id, body) for shop, body in sent)


async def _post_all(address: str, sent: Sequence[tuple[Shop, bytes]]) -> set[int]:
    """One after the other over one connection."""
    async with wire(address) as line:
        requests = (request(shop.door, signed(shop, body, at=now()), body) for shop, body in sent)
        return {(await line.ask(one))[0] for one in requests}


async def test_an_accepted_webhook_says_whose_it_is_what_it_is_and_when_chatwoot_sent_it(
    settings: Settings, admin_pool: Pool
) -> None:
    shop, at = await open_shop(admin_pool, settings), now()
    contact = b'{"event":"contact_updated","id":12,"account":{"id":3}}'

    async with serving(settings) as (_, client):
        for body in (_BODY, contact):
            assert (await post_webhook(client, shop, body, at=at)).status_code == 204

    first, second = sorted(await held(settings, WEBHOOKS, shop.id), key=lambda one: one.event or "", reverse=True)
    assert (first.key, second.key) == (f"{shop.id}:conversation:7".encode(), f"{shop.id}:contact:12".encode())
    assert (first.event, first.origin, first.store) == ("message_created", "webhook", shop.id)
    assert first.header("chatwoot-timestamp") == str(int(at.timestamp()))
    assert abs(first.received_at - at) < timedelta(minutes=1)


async def test_a_refused_webhook_is_counted_by_reason_and_reaches_no_topic(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)

    async with serving(settings) as (_, client):
        for body, change, status, _reason in _REFUSED:
            answer = await post_webhook(client, shop, body, **{"at": now()} | change)
            assert answer.status_code == status, (body[:80], change)
        metrics = (await client.get("/metrics")).text

    counts = Counter(reason for *_, reason in _REFUSED)
    for reason, count in counts.items():
        assert f'wootstream_refused_total{{door="webhooks",reason="{reason}"}} {float(count)}' in metrics
    assert await held(settings, WEBHOOKS, shop.id) == []


async def test_unknown_store_and_bad_signature_are_answered_alike(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)

    async with serving(settings) as (_, client):
        wrong = await post_webhook(client, shop, _BODY, at=now(), secret="wrong")
        unknown = await post_webhook(client, shop, _BODY, at=now(), path="/webhooks/chatwoot/nobody")

    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    dates = {"date"}
    assert {k: v for k, v in wrong.headers.items() if k not in dates} == {
        k: v for k, v in unknown.headers.items() if k not in dates
    }
    assert "server" not in wrong.headers


async def test_the_previous_secret_is_good_until_it_is_gone(settings: Settings, admin_pool: Pool) -> None:
    shop = await open_shop(admin_pool, settings)
    keys = load_secrets(settings)
    sealed = keys.seal("newer", organization=shop.id, column="webhook_secret")
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set webhook_secret_previous = webhook_secret, webhook_secret = $2"
            " where organization_id = $1",
            *(shop.id, sealed),
        )

    async with serving(settings) as (_, client):
        statuses = [
            (await post_webhook(client, shop, _BODY, at=now(), secret=secret)).status_code
            for secret in ("newer", shop.secret, "wrong")
        ]

    assert statuses == [204, 204, 401]


async def test_an_unsigned_store_is_known_by_the_token_at_the_end_of_its_url(
    settings: Settings, admin_pool: Pool
) -> None:
    hashed = hashlib.sha256(b"path-token").digest()
    shop = await open_shop(admin_pool, settings, webhook_secret=None, unsigned=True, path_token_sha256=hashed)
    door = f"/webhooks/chatwoot/{shop.slug}"

    async with serving(settings) as (_, client):
        paths = (f"{door}/path-token", f"{door}/path-token?v=2", f"{door}/other", door)
        statuses = [(await client.post(path, content=_BODY)).status_code for path in paths]

    assert statuses == [204, 204, 401, 401]
