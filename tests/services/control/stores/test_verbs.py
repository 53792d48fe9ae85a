"""The verbs of `stores.yaml` as a person or a script calls them, against Chatwoot's double on a port of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from db.pool import Pool
from local.chatwoot import seed
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from services.kernel import Refusal, Settings
from services.kernel.secrets import new_key
from tests.services.control.stores.chatwoots import chatwoot
from tests.services.control.stores.test_apply import rows, some, webhooks_of
from tests.services.control.verbs import answer, call, noted


@pytest.fixture
async def double(installation: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Double, str]]:
    """A Chatwoot, and where it answers."""
    monkeypatch.setenv("WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES", "1")
    monkeypatch.setenv("WOOTSTREAM_CHATWOOT_CALLS_PER_SECOND", "100000")
    found = chatwoot()
    monkeypatch.setenv("PLATFORM_TOKEN", found.state.platform_token)
    async with serving(found) as address:
        yield found, address


def written(folder: Path, address: str, stores: dict[str, Any]) -> str:
    path = folder / "stores.yaml"
    servers = {"main": {"base_url": address, "platform_token": "env:PLATFORM_TOKEN"}}
    path.write_text(yaml.safe_dump({"chatwoots": servers, "stores": stores}))
    return str(path)


async def test_a_store_from_its_plan_to_its_end(
    double: tuple[Double, str], installation: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    (chat, address), entries = double, some(1)
    (slug,) = entries
    path = written(tmp_path, address, entries)

    assert (await call("stores", "plan", path, "--detailed-exitcode")).exit_code == 2
    assert (await call("stores", "check", path)).exit_code == 1
    (made,) = await answer("stores", "apply", path)
    assert made["event_secret"].startswith("whsec_")
    again = await call("stores", "apply", path)
    assert (again.exit_code, again.stdout) == (0, "1 store: nothing to change\n")
    assert (await call("stores", "plan", path, "--detailed-exitcode")).exit_code == 0
    assert (await call("stores", "check", path)).exit_code == 0

    shown = await answer("stores", "show", slug)
    assert {one["step"] for one in shown["steps"]} >= {
        "user",
        "account",
        "member",
        "inbox",
        "webhook",
        "store",
        "events",
    }
    assert all(one["done_at"] for one in shown["steps"])
    assert made["event_secret"] not in str(shown)

    for verb, status in (("suspend", "suspended"), ("resume", "active")):
        assert (await answer("stores", verb, slug)) == {"slug": slug, "status": status, "changed": True}
        assert (await answer("stores", verb, slug))["changed"] is False
    assert (await answer("stores", "remove", slug, "--yes"))["webhooks_removed"] == 1
    (account,) = chat.state.accounts.values()
    assert webhooks_of(installation, account, slug) == []
    gone = (await rows(admin_pool, [slug]))[slug]
    assert (gone["account_status"], gone["api_access_token"], gone["event_secret"]) == ("deleted", None, None)
    kept = await noted(admin_pool, gone["organization_id"])
    assert kept == ["stores add", "stores apply", "stores suspend", "stores resume", "stores remove"]


async def test_accounts_of_an_administrator_are_discovered_as_a_file_that_can_be_applied(
    double: tuple[Double, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, address = double
    (slug,) = entries = some(1)
    await call("stores", "apply", written(tmp_path, address, entries))
    (user,) = chat.state.users.values()

    found = await call("stores", "discover", "--base-url", address, "--token", user.token)

    document = yaml.safe_load(found.stdout)
    assert document["stores"] == {
        slug: {"account_id": 1, "api_access_token": "env:WOOTSTREAM_STORE_API_TOKEN", "account_name": slug,
               "website_url": f"https://{slug}.example"}
    }  # fmt: skip
    assert user.token not in found.stdout
    monkeypatch.setenv("WOOTSTREAM_STORE_API_TOKEN", user.token)
    (tmp_path / "found.yaml").write_text(found.stdout)
    assert (await call("stores", "plan", str(tmp_path / "found.yaml"), "--detailed-exitcode")).exit_code == 0


async def test_one_store_is_provisioned_by_the_specifications_request(double: tuple[Double, str]) -> None:
    chat, address = double
    (slug,) = some(1)
    words = ("stores", "provision", slug, "--base-url", address, "--platform-token", chat.state.platform_token,
             "--email", "support@shop.example", "--domain", f"{slug}.example", "--locale", "de",
             "--timezone", "Europe/Berlin")  # fmt: skip

    (first,), (second,) = await answer(*words), await answer(*words)

    (account,) = chat.state.accounts.values()
    shown = {name: account.settings[name] for name in ("name", "locale", "domain", "support_email")}
    assert shown == {"name": slug, "locale": "de", "domain": f"{slug}.example", "support_email": "support@shop.example"}
    assert (bool(first["changes"]), second["changes"]) == (True, [])


async def test_a_token_that_can_be_none_is_no_outage_of_chatwoot(double: tuple[Double, str]) -> None:
    chat, address = double
    (slug,), token = some(1), "to ken"
    words = ("--base-url", address, "--email", "a@shop.example", "--domain", "a.example", "--platform-token", token)
    refused = await call("stores", "provision", slug, *words)
    assert (refused.exit_code, "another character that no token has" in refused.output) == (1, True), refused.output
    with pytest.raises(Refusal, match="another character that no token has"):
        await call("stores", "discover", "--base-url", address, "--token", token)
    assert chat.state.accounts == {}


async def test_a_secret_is_not_replaced_under_another_key_beside_which_no_door_could_read_the_store(
    double: tuple[Double, str], admin_pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, address), entries = double, some(1)
    await call("stores", "apply", written(tmp_path, address, entries))
    before, (slug,) = await rows(admin_pool, entries), entries
    monkeypatch.setenv("WOOTSTREAM_INSTALLATION_KEY", new_key())
    for what in ("event", "vouching"):
        with pytest.raises(Refusal, match="it is not here"):
            await call("stores", "rotate", slug, "--what", what)
    assert await rows(admin_pool, entries) == before


async def test_token_of_an_agent_is_made_unless_it_would_hold_elsewhere(
    double: tuple[Double, str], admin_pool: Pool, tmp_path: Path
) -> None:
    (chat, address), entries = double, some(1)
    await call("stores", "apply", written(tmp_path, address, entries))
    (account,) = chat.state.accounts.values()
    another = seed.add_account(chat, 77, token="administrator")
    (taken,) = (chat.state.users[number].email for number in another.members)
    asked = ("stores", "token", str(account.id), "--base-url", address, "--platform-token", chat.state.platform_token)

    made = orjson.loads((await call(*asked, "--agent-email", "jan@shop.example")).stdout)

    (inbox,) = chat.state.inboxes_of(account)
    assert account.members[chat.state.tokens[made["access_token"]].id]["role"] == "agent"
    assert (made["website_token"], made["expires_at"]) == (inbox.token, None)
    (row,) = (await rows(admin_pool, entries)).values()
    assert (await noted(admin_pool, row["organization_id"]))[-1] == "stores token"
    with pytest.raises(Refusal, match="belongs to account 77 already"):
        await call(*asked, "--agent-email", taken)


async def test_a_chatwoot_in_a_private_network_is_not_called_unless_that_is_allowed(
    double: tuple[Double, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, address = double
    monkeypatch.setenv("WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES", "0")
    with pytest.raises(Refusal, match="is in a private network"):
        await call("stores", "discover", "--base-url", address, "--token", "t")
    assert chat.calls.total() == 0
