"""Who a customer is to Chatwoot: told to the shop alone, for the customer that it signed for."""

import hmac
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from db.pool import Pool
from schemas.vouching import SECRET_PREFIX
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.services.ingress.bench import EVENT_SECRET, Shop, open_shop, serving

IDENTITY_KEY = "Kx4T9hmacTokenOfTheInbox"
_OTHER_SECRET = SECRET_PREFIX + "b3RoZXItc2VjcmV0LW9mLTI0LWJ5dGVz"


async def open_known_shop(admin: Pool, settings: Settings) -> Shop:
    """A store whose inbox's key is known."""
    store = uuid.uuid4()
    sealed = load_secrets(settings).seal(IDENTITY_KEY, organization=store, column="identity_key")
    return await open_shop(admin, settings, organization_id=store, identity_key=sealed)


@pytest_asyncio.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings, kafka=False) as (_, client):
        yield client


async def ask(
    client: httpx.AsyncClient,
    slug: str,
    query: str,
    *,
    signed: str | None = None,
    late_seconds: int = 0,
    secret: str = EVENT_SECRET,
) -> httpx.Response:
    """As a shop's back end asks, with the library of Standard Webhooks; `signed`: another query than is sent."""
    name, at = f"msg_{uuid.uuid4().hex}", datetime.now(UTC) - timedelta(seconds=late_seconds)
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, at, query if signed is None else signed),
    }
    return await client.get(f"/api/stores/{slug}/identity?{query}", headers=headers)


async def test_shop_gets_the_hash_that_chatwoot_checks(
    client: httpx.AsyncClient, admin_pool: Pool, settings: Settings
) -> None:
    shop = await open_known_shop(admin_pool, settings)

    answer = await ask(client, shop.slug, "customer=c%2017%2F%C3%A9")

    expected = hmac.new(IDENTITY_KEY.encode(), "c 17/é".encode(), "sha256").hexdigest()
    assert answer.json() == {"identifier": "c 17/é", "identifier_hash": expected}
    assert answer.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"signed": "customer=c2"},
        {"signed": ""},
        {"late_seconds": 400},
        {"late_seconds": -400},
        {"secret": _OTHER_SECRET},
    ],
)
async def test_nobody_else_is_told_and_nobody_learns_which_stores_there_are(
    wrong: dict[str, Any], client: httpx.AsyncClient, admin_pool: Pool, settings: Settings
) -> None:
    shop = await open_known_shop(admin_pool, settings)

    refused = await ask(client, shop.slug, "customer=c1", **wrong)
    unknown = await ask(client, "no-such-store", "customer=c1", **wrong)

    assert refused.status_code == unknown.status_code == 401
    assert refused.content == unknown.content


@pytest.mark.parametrize("query", ["", "customer=", "customer=c1&customer=c2", f"customer={'c' * 256}", "customer=%ff"])
async def test_one_customer_is_named(
    query: str, client: httpx.AsyncClient, admin_pool: Pool, settings: Settings
) -> None:
    shop = await open_known_shop(admin_pool, settings)
    assert (await ask(client, shop.slug, query)).status_code == 400


async def test_store_whose_inbox_key_is_unknown_says_so(
    client: httpx.AsyncClient, admin_pool: Pool, settings: Settings
) -> None:
    shop = await open_shop(admin_pool, settings)
    assert (await ask(client, shop.slug, "customer=c1")).status_code == 404
