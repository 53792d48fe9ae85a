"""Another installation key than the stores': no verb seals with it, and whoever has lost theirs finds the way back."""

import base64
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from db import stores as table
from db.pool import INGRESS, open_pool
from local.chatwoot.app import serving
from schemas.stores import StoreOptions
from services.control.stores import attach
from services.ingress.stores.store import Store, opened
from services.kernel import Refusal, Settings, Stop
from services.kernel.cli.environment import database, stores_named
from services.kernel.secrets import load_secrets
from tests.services.control.stores.chatwoots import chatwoot
from tests.services.control.stores.test_apply import some
from tests.services.control.stores.test_attach import shop
from tests.services.control.stores.test_verbs import written
from tests.services.control.verbs import answer, call


def lose_the_key(settings: Settings) -> None:
    (settings.data_directory / "installation.key").write_text(base64.b64encode(os.urandom(32)).decode())


async def at_the_doors(settings: Settings, slug: str) -> Store:
    """As an ingress opens it. Raises Sealed."""
    assert settings.database_url
    async with database(settings) as pool:
        store = (await stores_named(pool, slug))[slug]
    doors = open_pool(settings.database_url.get_secret_value(), INGRESS)
    async with doors.acquire() as conn:
        (row,) = await table.doors_of(conn, [str(store)])
    await doors.close()
    return opened(row, load_secrets(settings))


async def test_no_verb_seals_beside_what_another_key_sealed(alone: Settings, tmp_path: Path) -> None:
    store = shop(api_access_token="t0ken")
    await attach.add(alone, store)
    before = (alone.data_directory / "installation.key").read_text()
    lose_the_key(alone)

    changed = StoreOptions(slug=store.slug, event_secret=SecretStr("whsec_" + base64.b64encode(b"e" * 32).decode()))
    with pytest.raises(Refusal, match=r"it is not here \(this is .*--key-lost"):
        await attach.add(alone, changed)
    with pytest.raises(Stop, match=r"is none of those that sealed the stores' secrets.*--key-lost"):
        await attach.add(alone, shop())
    for verb in (("set", store.slug, "seal", "true"), ("rotate", store.slug, "--what", "webhook")):
        with pytest.raises(Refusal, match="it is not here"):
            await call("stores", *verb)

    (alone.data_directory / "installation.key").write_text(before)
    assert (await at_the_doors(alone, store.slug)).slug == store.slug


async def test_stores_of_a_file_come_back_by_one_verb_after_the_key_is_lost(
    alone: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES", "1")
    chat, entries = chatwoot(), some(2, seal=True)
    monkeypatch.setenv("PLATFORM_TOKEN", chat.state.platform_token)
    async with serving(chat) as address:
        path = written(tmp_path, address, entries)
        first = await answer("stores", "apply", path)
        before = [await at_the_doors(alone, slug) for slug in entries]
        lose_the_key(alone)
        refused = await call("stores", "apply", path)
        again = await answer("stores", "apply", path, "--key-lost")

    assert refused.exit_code == 1
    assert refused.stdout.count("it is not here") == len(entries)
    after = [await at_the_doors(alone, slug) for slug in entries]
    # Chatwoot told the secrets of its webhooks again.
    assert [one.signers[0].signature(b"1", b"{}") for one in after] == [
        one.signers[0].signature(b"1", b"{}") for one in before
    ]
    for name in ("event_secret", "vouching_secret"):
        assert all(one[name] for one in again)
        assert not {one[name] for one in again} & {one[name] for one in first}
    for old, new in zip(before, after, strict=True):
        assert old.sealer is not None
        assert new.sealer is not None
        assert not {tree.id for tree in new.sealer.trees} & {tree.id for tree in old.sealer.trees}
    assert [row["secrets of stores"] for row in await answer("keys", "list") if not row["here"]] == []


async def test_store_attached_by_hand_comes_back_with_the_secrets_that_are_told(alone: Settings) -> None:
    store = shop(api_access_token="t0ken", shopify_secret="gone", shopify_domain="some.myshopify.com")
    before = await attach.add(alone, store)
    lose_the_key(alone)

    with pytest.raises(Refusal, match="needs its webhook secret"):
        await attach.add(alone, StoreOptions(slug=store.slug, key_lost=True))
    back = await attach.add(alone, StoreOptions(slug=store.slug, key_lost=True, webhook_secret=SecretStr("s3cret")))

    at_doors = await at_the_doors(alone, store.slug)
    assert [len(at_doors.signers), len(at_doors.event_keys), len(at_doors.vouching_secrets)] == [1, 1, 1]
    assert at_doors.vouching_secrets == (back.made_vouching_secret,)
    assert back.made_event_secret not in (None, before.made_event_secret)
