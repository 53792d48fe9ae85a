"""Shopify's door: what its secret signed is kept or of no use, and nothing else is answered 2xx."""

import base64
import hmac
import uuid
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from db.pool import PRIVACY, Pool, scoped
from schemas.topics import SHOP_EVENTS
from services.kernel import Process, Settings
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.sealing.shredding import shred
from services.kernel.secrets import load_secrets
from services.privacy import shop_requests
from tests.eventually import eventually
from tests.forget.opening import shown
from tests.services.ingress.bench import SHOPIFY_DOMAIN, SHOPIFY_SECRET, Shop, held, open_shop, serving
from tests.services.ingress.test_sealed import seal

pytestmark = pytest.mark.usefixtures("topics")
EXAMPLES = Path(__file__).parent / "shopify"
DUTIES = {
    "customers-data-request": "show",
    "customers-redact": "forget",
    "customers-redact-email-only": "forget",
    "customers-delete": "forget",
    "shop-redact": "forget the shop",
}


def example(name: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers as Shopify sent them."""
    return (EXAMPLES / f"{name}.json").read_bytes(), orjson.loads((EXAMPLES / f"{name}.headers.json").read_bytes())[
        "headers"
    ]


def signed(body: bytes, topic: str, *, secret: str = SHOPIFY_SECRET, domain: str = SHOPIFY_DOMAIN) -> dict[str, str]:
    proof = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {"x-shopify-topic": topic, "x-shopify-hmac-sha256": proof, "x-shopify-shop-domain": domain}


async def post(client: httpx.AsyncClient, shop: Shop, body: bytes, headers: dict[str, str]) -> int:
    return (await client.post(f"/shopify/{shop.slug}", content=body, headers=headers)).status_code


async def test_each_duty_is_kept_as_it_came_and_read_as_what_it_is(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    sent = {name: example(name) for name in DUTIES}
    assert {name: await post(client, shop, *sent[name]) for name in sent} == dict.fromkeys(sent, 204)
    records = await held(settings, SHOP_EVENTS, shop.id)
    assert sorted(record.value for record in records) == sorted(body for body, _ in sent.values())
    duties = [read.duty for record in records if (read := shop_requests.read(record))]
    assert sorted(duties) == sorted(DUTIES.values())


async def test_a_wrong_signature_is_401_and_reaches_no_topic(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    body, right = example("customers-redact")
    wrong = [
        await post(client, shop, *example("bad-signature")),
        await post(client, shop, body + b" ", right),
        await post(client, shop, body, right | {"X-Shopify-Hmac-Sha256": "no base64!"}),
        await post(client, shop, body, {name: one for name, one in right.items() if "Hmac" not in name}),
        # Base64 of a key is no key here: the secret is text.
        await post(client, shop, body, signed(body, "customers/redact", secret="c2VjcmV0")),
        (await client.post("/shopify/nobody", content=body, headers=right)).status_code,
    ]
    assert wrong == [401] * len(wrong)
    assert not await held(settings, SHOP_EVENTS, shop.id)


async def test_a_store_without_a_secret_of_shopify_takes_nothing(settings: Settings, admin_pool: Pool) -> None:
    plain = await open_shop(admin_pool, settings, shopify_secret=None, shopify_domain=None)
    async with serving(settings) as (_, client):
        body = example("customers-redact")[0]
        assert await post(client, plain, body, signed(body, "customers/redact", secret="")) == 401


async def test_both_secrets_count_while_one_is_replaced(settings: Settings, admin_pool: Pool) -> None:
    store = uuid.uuid4()
    new, old = (load_secrets(settings).seal(one, organization=store, column="shopify_secret")
                for one in ("the-new-one", SHOPIFY_SECRET))  # fmt: skip
    shop = await open_shop(admin_pool, settings, organization_id=store, shopify_secret=new, shopify_secret_previous=old)
    body = example("shop-redact")[0]
    async with serving(settings) as (_, client):
        for secret in ("the-new-one", SHOPIFY_SECRET):
            assert await post(client, shop, body, signed(body, "shop/redact", secret=secret)) == 204


async def test_what_is_rightly_signed_and_of_no_use_is_answered_2xx_and_not_kept(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    assert await post(client, shop, *example("orders-create")) == 204
    assert await post(client, shop, b"{}", signed(b"{}", "orders/dreamt")) == 204
    assert await post(client, shop, b"{}", signed(b"{}", "")) == 400
    assert not await held(settings, SHOP_EVENTS, shop.id)


async def test_a_duty_that_cannot_be_read_is_kept_for_somebody_to_see(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    body = orjson.dumps({"shop_domain": SHOPIFY_DOMAIN, "customer": 5, "orders_to_redact": []})
    assert await post(client, shop, body, signed(body, "customers/redact")) == 204
    (record,) = await held(settings, SHOP_EVENTS, shop.id)
    assert [await post(client, shop, one, signed(one, "shop/redact")) for one in (b"{", b"[]", b"")] == [400] * 3
    with pytest.raises(ValueError, match="customer"):
        shop_requests.read(record)


async def test_a_sealing_stores_duties_show_nobody_and_open_until_whom_they_name_is_erased(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    await seal(settings, shop)
    unreadable = orjson.dumps({"shop_domain": SHOPIFY_DOMAIN, "customer": "Mirte", "orders_to_redact": []})
    async with serving(settings) as (_, client):
        for name in DUTIES:
            assert await post(client, shop, *example(name)) == 204
        assert await post(client, shop, unreadable, signed(unreadable, "customers/redact")) == 204
    records = await held(settings, SHOP_EVENTS, shop.id)
    assert [one.is_closed for one in records] == [True] * (len(DUTIES) + 1)
    assert shown(records, ["mirte", "guest.buyer", "7300000000101", "31600000101"]) == 0
    process, there = Process(settings), {str(shop.id)}
    customer = Pseudonyms(process.secrets).of(shop.id, Subject("customer", "7300000000101"))
    async with scoped(process.pool(PRIVACY), {shop.id}) as conn:
        soon = process.clock.now() + timedelta(seconds=1)
        await shred(conn, shop.id, process.secrets, dict.fromkeys(customer, soon))
    async with scoped(process.pool(), {shop.id}) as conn:
        unopened = await process.opener.open(conn, records, there)
    await process.close()
    still = [example(name)[0] for name in ("customers-redact-email-only", "shop-redact")]
    assert not unopened.bad
    assert sorted(one.value for one in records if one not in unopened) == sorted([*still, unreadable])


async def test_a_duty_towards_another_shop_is_refused_and_said(
    settings: Settings, shop: Shop, client: httpx.AsyncClient
) -> None:
    body = example("customers-redact")[0].replace(b"lantern", b"another")
    assert await post(client, shop, body, signed(body, "customers/redact")) == 403
    for name in (b"null", b"{}", b'""'):
        odd = b'{"shop_domain": %s, "customer": {}, "orders_to_redact": []}' % name
        assert await post(client, shop, odd, signed(odd, "customers/redact")) == 403
    deleted = example("customers-delete")[0]
    assert await post(client, shop, deleted, signed(deleted, "customers/delete", domain="x.myshopify.com")) == 403
    assert (await client.get(f"/shopify/{shop.slug}")).headers["allow"] == "POST"
    assert not await held(settings, SHOP_EVENTS, shop.id)


async def test_a_duty_is_not_lost_while_kafka_is_away(settings: Settings, admin_pool: Pool, tmp_path: Path) -> None:
    back = settings.model_copy(update={"data_directory": tmp_path})
    shop = await open_shop(admin_pool, back)
    async with serving(back.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"}), kafka=False) as (_, client):
        assert await post(client, shop, *example("customers-redact")) == 204
    async with serving(back):

        async def there() -> bool:
            return bool(await held(settings, SHOP_EVENTS, shop.id))

        await eventually(there)
