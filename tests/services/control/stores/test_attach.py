"""`stores add`: the same twice changes nothing, secrets rest sealed, and one store's things are no other's."""

import base64
import hashlib
import uuid
from typing import Any

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from db.pool import Pool
from schemas.stores import StoreOptions
from services.control.stores import attach
from services.kernel import Refusal, Sealed, Settings
from services.kernel.secrets import load_secrets
from tests.kernel_bench import Bench
from tests.services.control.verbs import answer, call

_TIERS = {"tiers": {"Gold": {"orders": 3}}}
_CAUGHT_UP = "update public.chatwoot_accounts set tiers_after = null where slug = $1"


def shop(**told: Any) -> StoreOptions:
    """A store of one test's own; what a test does not mention works."""
    mark = uuid.uuid4().hex[:12]
    signed = {} if told.get("unsigned") or told.get("path_token") else {"webhook_secret": "s3cret"}
    known = {"slug": f"shop-{mark}", "base_url": f"https://{mark}.example", "account_id": 7, "website_token": mark}
    return StoreOptions.model_validate(known | signed | told)


async def row(admin: Pool, slug: str) -> dict[str, Any]:
    async with admin.acquire() as conn:
        found = await conn.fetchrow("select * from public.chatwoot_accounts where slug = $1", slug)
    assert found is not None
    return dict(found)


def opened(settings: Settings, account: dict[str, Any], column: str) -> str:
    return load_secrets(settings).open(account[column], organization=account["organization_id"], column=column)


async def test_store_added_twice_is_one_and_keeps_its_very_bytes(settings: Settings, admin_pool: Pool) -> None:
    store = shop(api_access_token="t0ken", domains=("shop.example",), bot_inboxes=(4,))

    first = await attach.add(settings, store)
    before = await row(admin_pool, store.slug)
    second = await attach.add(settings, store)

    assert (first.outcome, second.outcome) == ("added", "unchanged")
    assert await row(admin_pool, store.slug) == before
    assert (first.made_event_secret is None, second.made_event_secret) == (False, None)


async def test_secrets_rest_sealed_and_open_for_their_column_alone(settings: Settings, admin_pool: Pool) -> None:
    store = shop(api_access_token="t0ken", identity_key="inb0x")
    added = await attach.add(settings, store)
    account = await row(admin_pool, store.slug)

    assert not {"t0ken", "inb0x", "s3cret", added.made_event_secret} & {str(value) for value in account.values()}
    assert opened(settings, account, "api_access_token") == "t0ken"
    assert opened(settings, account, "identity_key") == "inb0x"
    assert opened(settings, account, "event_secret") == added.made_event_secret
    assert len(base64.b64decode((added.made_event_secret or "").removeprefix("whsec_"))) == 32
    with pytest.raises(Sealed, match="cannot be opened"):
        opened(settings, account | {"event_secret": account["api_access_token"]}, "event_secret")


async def test_changed_webhook_secret_leaves_the_old_one_valid(settings: Settings, admin_pool: Pool) -> None:
    store = shop()
    await attach.add(settings, store)

    changed = await attach.add(settings, StoreOptions(slug=store.slug, webhook_secret=SecretStr("newer")))

    account = await row(admin_pool, store.slug)
    assert changed.outcome == "changed"
    assert opened(settings, account, "webhook_secret") == "newer"
    assert (
        opened(settings, {**account, "webhook_secret": account["webhook_secret_previous"]}, "webhook_secret")
        == "s3cret"
    )


async def test_changed_secrets_of_a_shop_leave_the_old_ones_valid_until_they_are_forgotten(
    settings: Settings, admin_pool: Pool
) -> None:
    store = shop()
    first = await attach.add(settings, store)
    newer = {
        "event_secret": SecretStr("whsec_bmV3ZXIgZXZlbnRz"),
        "vouching_secret": SecretStr("whsec_bmV3ZXIgdm91Y2g="),
    }
    await attach.add(settings, StoreOptions(slug=store.slug, **newer))
    account = await row(admin_pool, store.slug)
    made = {"event_secret": first.made_event_secret, "vouching_secret": first.made_vouching_secret}
    for column, text in made.items():
        assert opened(settings, account, column) == newer[column].get_secret_value()
        assert opened(settings, account | {column: account[f"{column}_previous"]}, column) == text

    await attach.add(settings, StoreOptions(slug=store.slug, forget_previous=True))

    after = await row(admin_pool, store.slug)
    assert {name for name in after if after[name] != account[name]} == {
        "event_secret_previous",
        "vouching_secret_previous",
        "updated_at",
    }


async def test_a_shopify_secret_belongs_to_a_named_shop_and_is_replaced_while_the_old_one_counts(
    settings: Settings, admin_pool: Pool
) -> None:
    store, name = shop(), "lantern-and-loom.myshopify.com"
    await attach.add(settings, store)
    with pytest.raises(Refusal, match="--shopify-domain"):
        await attach.add(settings, StoreOptions(slug=store.slug, shopify_secret=SecretStr("first")))
    for secret in ("first", "second"):
        await attach.add(settings, StoreOptions(slug=store.slug, shopify_secret=SecretStr(secret), shopify_domain=name))
    account = await row(admin_pool, store.slug)
    assert (account["shopify_domain"], account["erase_when_redacted"]) == (name, False)
    assert opened(settings, account, "shopify_secret") == "second"
    previous = account | {"shopify_secret": account["shopify_secret_previous"]}
    assert opened(settings, previous, "shopify_secret") == "first"


async def test_first_vouching_secret_leaves_the_event_secret_valid_that_vouched_before(
    settings: Settings, admin_pool: Pool
) -> None:
    store = shop()
    added = await attach.add(settings, store)
    async with admin_pool.acquire() as conn:
        await conn.execute("update public.chatwoot_accounts set vouching_secret = null where slug = $1", store.slug)
    unchanged = await attach.add(settings, store)

    await attach.add(settings, StoreOptions(slug=store.slug, vouching_secret=SecretStr("whsec_bmV3ZXIgdm91Y2g=")))

    account = await row(admin_pool, store.slug)
    assert (unchanged.outcome, unchanged.made_vouching_secret) == ("unchanged", None)
    previous = account | {"vouching_secret": account["vouching_secret_previous"]}
    assert opened(settings, previous, "vouching_secret") == added.made_event_secret


async def test_what_is_not_told_stays(settings: Settings, admin_pool: Pool) -> None:
    store = shop(currency="SEK", domains=("shop.example",))
    await attach.add(settings, store)
    before = await row(admin_pool, store.slug)

    await attach.add(settings, StoreOptions(slug=store.slug, push="live"))

    after = await row(admin_pool, store.slug)
    assert {name for name in after if after[name] != before[name]} == {"push", "updated_at"}


async def test_a_tier_is_reckoned_again_after_whatever_it_depends_on_has_changed(
    settings: Settings, admin_pool: Pool
) -> None:
    """By what was spent in the store's currency, as by its rules: else it waits for the customer's next order."""
    store = shop(currency="EUR")
    await attach.add(settings, store)
    behind = []
    for told in ({"currency": "EUR"}, {"timezone": "Europe/Berlin"}, {"currency": "GBP"}, {"tiers": _TIERS}):
        await attach.add(settings, StoreOptions.model_validate({"slug": store.slug} | told))
        behind.append((await row(admin_pool, store.slug))["tiers_after"])
        async with admin_pool.acquire() as conn:
            await conn.execute(_CAUGHT_UP, store.slug)
    assert behind == [None, None, "", ""]


async def test_who_changes_a_stores_zone_is_told_that_its_days_are_to_be_counted_anew(settings: Settings) -> None:
    store = shop()
    lima, pen = StoreOptions(slug=store.slug, timezone="America/Lima"), StoreOptions(slug=store.slug, currency="PEN")
    said = [(await attach.add(settings, one)).to_do for one in (store, store, lima, pen)]
    assert [one is not None for one in said] == [False, False, True, False]
    assert f"`wootstream partitions rebuild {store.slug}`" in str(said[2])


async def test_unsigned_store_gets_a_path_token_once(settings: Settings, admin_pool: Pool) -> None:
    store = shop(unsigned=True)
    first, second = await attach.add(settings, store), await attach.add(settings, store)

    account = await row(admin_pool, store.slug)
    assert account["path_token_sha256"] == hashlib.sha256((first.path_token or "").encode()).digest()
    assert first.webhook_path == f"/webhooks/chatwoot/{store.slug}/{first.path_token}"
    assert (second.outcome, second.path_token, second.webhook_path) == ("unchanged", None, None)


async def test_store_of_a_database_made_anew_has_the_id_that_the_topics_know(
    settings: Settings, admin_pool: Pool
) -> None:
    store = shop()
    first = await attach.add(settings, store)
    async with admin_pool.acquire() as conn:
        await conn.execute("delete from public.organizations where id = $1", first.organization_id)
    assert (await attach.add(settings, store)).organization_id == first.organization_id


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"timezone": "Europe/Amsterdamn"}, "no time zone"),
        ({"webhook_secret": None}, "needs its webhook secret"),
        ({"website_token": None}, "--website-token"),
    ],
)
async def test_store_that_cannot_work_is_refused_with_the_cure(
    told: dict[str, Any], reason: str, settings: Settings
) -> None:
    with pytest.raises(Refusal, match=reason):
        await attach.add(settings, shop(**told))


@pytest.mark.parametrize("shared", [("base_url", "account_id"), ("website_token",)])
async def test_what_belongs_to_another_store_is_refused(shared: tuple[str, ...], settings: Settings) -> None:
    first = shop()
    await attach.add(settings, first)
    with pytest.raises(Refusal, match="belongs to another store"):
        await attach.add(settings, shop(**{name: getattr(first, name) for name in shared}))


async def test_where_organizations_are_the_hosts_own_a_store_needs_one_of_them(bench: Bench) -> None:
    await bench.admin.execute("revoke insert on public.organizations from wootstream_service")
    own = uuid.uuid4()
    await bench.admin.execute("insert into public.organizations (id, name) values ($1, 'shop')", own)
    store = shop()

    with pytest.raises(Refusal, match="make it, and name it with --organization"):
        await attach.add(bench.settings, store)
    added = await attach.add(bench.settings, store.model_copy(update={"organization_id": own}))

    assert (added.organization_id, added.outcome) == (own, "added")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hv cHM=", "whsec_c2hvcHM-", "whsec_c2hvc", "\u00fcber"])
def test_shops_secret_that_is_no_base64_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError):
        shop(event_secret=secret)


@pytest.mark.parametrize("token", ["a b", "s3cret\n", "s3cr\u00f6t", "\ufeffs3cret"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValidationError, match="holds a space or another character that no token has") as refused:
        StoreOptions.model_validate({"slug": "nl", "api_access_token": token})
    assert token not in str(refused.value)


@pytest.mark.parametrize("address", ["http://a:65536", "http://a:b", "http://[::1", "https://:80", "http://a:0"])
def test_an_address_with_a_host_or_port_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="a host or a port that is none"):
        StoreOptions.model_validate({"slug": "nl", "base_url": address})


def test_signature_and_path_token_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="not both"):
        shop(unsigned=True, webhook_secret="s3cret")


async def test_verb_takes_secrets_from_stdin_and_environment_and_lists_none(installation: Settings) -> None:
    slug = f"shop-{uuid.uuid4().hex[:12]}"
    about = ("--base-url", f"https://{slug}.example", "--account", "3", "--website-token", slug)
    added = await answer(
        "stores", "add", slug, *about, "--secrets-stdin",
        given=orjson.dumps({"webhook_secret": "fromstdin"}),
        environment={"WOOTSTREAM_STORE_API_TOKEN": "fromenvironment"},
    )  # fmt: skip
    told = await call("stores", "list", "--json")
    mine = next(one for one in orjson.loads(told.stdout) if one["slug"] == slug)
    assert (added["outcome"], mine["has_api_token"]) == ("added", True)
    assert added["webhook_url"] == f"{installation.public_url}/webhooks/chatwoot/{slug}"
    assert not any(secret in told.stdout for secret in ("fromstdin", "fromenvironment", added["event_secret"]))
