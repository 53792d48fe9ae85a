"""`stores apply`: what a store needs is there once, however often its making is interrupted."""

import random
import secrets
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from db.pool import Pool
from local.chatwoot import seed
from local.chatwoot.double import Double
from local.chatwoot.model.rows import Account
from schemas.chatwoot import attributes
from schemas.chatwoot.webhooks import EVENTS
from services.control.stores.declared import secrets_of_file
from services.control.stores.declared.apply import AppliedPlan
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import Failed
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.services.control.stores.chatwoots import Killed, Mortal, chatwoot, file_of, site_of

_RELEASES = ("3.16.0", "4.13.0")


def some(count: int, **more: Any) -> dict[str, Any]:
    """Stores of one test's own."""
    mark = uuid.uuid4().hex[:8]
    entry = {"locale": "nl", "timezone": "Europe/Amsterdam", "labels": ["vip", "refund"]} | more
    return {f"shop-{mark}-{n}": {"domain": f"shop-{mark}-{n}.example"} | entry for n in range(count)}


def quiet(done: int, total: int) -> None:
    """No bar."""


async def applied(settings: Settings, stores: list[WantedStore], transport: Mortal) -> list[AppliedPlan | Failed]:
    async with site_of(settings, transport) as site:
        return await secrets_of_file.applied(site, stores, quiet)


async def planned(settings: Settings, stores: list[WantedStore], transport: Mortal) -> dict[str, list[str]]:
    async with site_of(settings, transport) as site:
        answers = await secrets_of_file.planned(site, stores, quiet)
    return {one.slug: [one.reason] if isinstance(one, Failed) else _lines(one.changes) for one in answers}


def _lines(changes: Any) -> list[str]:
    return [f"{one.sign} {one.what}" for one in changes]


def webhooks_of(settings: Settings, account: Account, slug: str) -> list[Any]:
    start = f"{settings.public_url}/webhooks/chatwoot/{slug}"
    return [one for one in account.webhooks.values() if one.url.startswith(start)]


async def rows(admin: Pool, slugs: Any) -> dict[str, Any]:
    async with admin.acquire() as conn:
        found = await conn.fetch("select * from public.chatwoot_accounts where slug = any ($1)", list(slugs))
    return {row["slug"]: row for row in found}


@pytest.mark.parametrize("release", _RELEASES)
async def test_stores_that_are_killed_after_every_few_calls_are_there_once(
    release: str, settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    double, entries, seed_ = chatwoot(release), some(5), random.randrange(2**32)
    print(f"seed {seed_}")
    chance = random.Random(seed_)
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())

    deaths = 0
    while True:
        mortal = Mortal(double, writes=chance.randrange(1, 25))
        try:
            answers = await applied(settings, stores, mortal)
            break
        except* Killed:
            deaths += 1

    assert deaths >= 5
    assert [one.reason for one in answers if isinstance(one, Failed)] == []
    assert_whole(settings, double, entries, await rows(admin_pool, entries))


@pytest.mark.parametrize("release", _RELEASES)
async def test_store_that_is_killed_after_each_of_its_calls_is_there_once_and_then_nothing_changes(
    release: str, settings: Settings, admin_pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "SPECIFIED", attributes.SPECIFIED[:3])
    double, entries = chatwoot(release), some(1)
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())

    last: list[str] = []
    while True:
        # Nobody noted that the user is made: asking again answers the one that is there, and one call more is made.
        mortal = Mortal(double, writes=2 if len(last) == 1 else 1)
        try:
            await applied(settings, stores, mortal)
            break
        except* Killed:
            last.append(mortal.writes[-1][1].rpartition("/")[2])

    assert Counter(last) == {"users": 1, "accounts": 1, "account_users": 1, "inboxes": 1,
                             "custom_attribute_definitions": 3, "labels": 2, "webhooks": 1, "1": 1}  # fmt: skip
    found = await rows(admin_pool, entries)
    assert_whole(settings, double, entries, found)
    calm = Mortal(double)
    (again,) = await applied(settings, stores, calm)
    assert isinstance(again, AppliedPlan)
    assert (again.changes, calm.writes, again.added.outcome) == ([], [], "unchanged")
    assert await planned(settings, stores, Mortal(double)) == {slug: [] for slug in entries}
    assert await rows(admin_pool, entries) == found


def assert_whole(settings: Settings, double: Double, entries: dict[str, Any], found: dict[str, Any]) -> None:
    state = double.state
    assert found.keys() == entries.keys()
    assert (len(state.accounts), len(state.users), len(state.inboxes)) == (len(entries),) * 3
    for slug, row in found.items():
        account = state.accounts[row["chatwoot_account_id"]]
        (inbox,) = state.inboxes_of(account)
        (webhook,) = webhooks_of(settings, account, slug)
        assert list(account.webhooks.values()) == [webhook]
        assert sorted(webhook.subscriptions) == sorted(EVENTS)
        assert [member["role"] for member in account.members.values()] == ["administrator"]
        assert inbox.token == row["website_token"]
        opened = load_secrets(settings).open(
            row["identity_key"], organization=row["organization_id"], column="identity_key"
        )
        assert opened == inbox.hmac_token
        assert inbox.channel["hmac_mandatory"] is True
        assert inbox.channel["allowed_domains"] == f"https://{slug}.example"
        kinds = {one["attribute_key"]: one["attribute_display_type"] for one in account.definitions.values()}
        assert (kinds, len(account.definitions)) == (
            {one.key: one.display_type for one in attributes.SPECIFIED},
            len(attributes.SPECIFIED),
        )
        assert sorted(one["title"] for one in account.labels.values()) == ["refund", "vip"]
        assert row["unsigned"] is not state.release.signs


async def test_plan_says_what_apply_does_and_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    double, entries = chatwoot(), some(1)
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())
    (slug,) = entries

    looking = Mortal(double)
    plan = (await planned(settings, stores, looking))[slug]
    (done,) = await applied(settings, stores, Mortal(double))

    assert looking.writes == []
    assert isinstance(done, AppliedPlan)
    assert Counter(line[2:] for line in plan) == Counter(one.what for one in done.changes)
    assert len(plan) == 3 + 1 + len(attributes.SPECIFIED) + 2 + 1 + 1 + 1


async def test_agents_and_bot_that_the_file_declares_are_there_once_and_others_are_left_alone(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    double = chatwoot()
    jan = {"email": "Jan@shop.example", "name": "Jan"}
    entries = some(1, agents=[jan, {"email": "eva@shop.example", "name": "Eva", "role": "administrator"}],
                   bot={"name": "Greeter", "outgoing_url": "https://bot.example/hook"})  # fmt: skip
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())
    planned_before = (await planned(settings, stores, Mortal(double)))[next(iter(entries))]

    deaths, made = 0, None
    while made is None:
        try:
            (made,) = await applied(settings, stores, Mortal(double, writes=7))
        except* Killed:
            deaths += 1
    calm = Mortal(double)
    (again,) = await applied(settings, stores, calm)

    assert deaths > 3
    assert isinstance(made, AppliedPlan)
    assert isinstance(again, AppliedPlan)
    assert (again.changes, calm.writes) == ([], [])
    assert {"+ agent Jan@shop.example", "+ eva@shop.example in the website inbox", "+ bot Greeter in the website inbox",
            "+ bot Greeter"} <= {*planned_before}  # fmt: skip
    (account,), (inbox,) = double.state.accounts.values(), double.state.inboxes.values()
    roles = {double.state.users[number].email: one["role"] for number, one in account.members.items()}
    assert roles["jan@shop.example"] == "agent"
    assert roles["eva@shop.example"] == "administrator"
    assert {double.state.users[number].email for number in inbox.members} == {"jan@shop.example", "eva@shop.example"}
    assert [one.name for one in double.state.bots.values()] == ["Greeter"]
    assert inbox.bot is double.state.bots[inbox.bot.id] if inbox.bot else False
    async with admin_pool.acquire() as conn:
        answers_first = await conn.fetch(
            "select inbox_id from wootstream.inboxes where organization_id = $1 and has_bot", made.organization_id
        )
    assert [row["inbox_id"] for row in answers_first] == [inbox.id]

    member = next(one for number, one in account.members.items() if double.state.users[number].email[:3] == "jan")
    member["role"] = "administrator"
    (bot,) = double.state.bots.values()
    bot.outgoing_url = "https://elsewhere.example"
    inbox.bot = None
    inbox.members.clear()
    (mended,) = await applied(settings, stores, Mortal(double))
    assert isinstance(mended, AppliedPlan)
    assert _lines(mended.changes) == [
        "~ agent Jan@shop.example", "+ Jan@shop.example in the website inbox",
        "+ eva@shop.example in the website inbox", "~ bot Greeter", "+ bot Greeter in the website inbox",
    ]  # fmt: skip


async def test_what_is_not_ours_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    double = chatwoot()
    account = seed.add_account(double, 7, token="administrator")
    foreign = seed.add_webhook(double, account, "https://crm.example/hook", secret="theirs")
    (slug, entry), *_ = some(1, account_id=7, api_access_token="file:token").items()
    (tmp_path / "token").write_text("administrator\n")
    stores = secrets_of_file.chosen(file_of(tmp_path, {slug: entry}), ())
    await applied(settings, stores, Mortal(double))
    (inbox,) = double.state.inboxes_of(account)
    inbox.channel |= {"hmac_mandatory": False, "allowed_domains": "https://another.example"}
    account.definitions[99] = {"id": 99, "attribute_key": "shoe_size", "attribute_display_type": "number",
                               "attribute_model": "contact_attribute"}  # fmt: skip

    assert await planned(settings, stores, Mortal(double)) == {
        slug: ["~ website inbox " + slug + ", allowed_domains"]  # the inbox was made by us, its HMAC was not asked for
    }
    assert account.webhooks[foreign.id] == foreign


async def test_what_somebody_changed_of_ours_is_mended(settings: Settings, admin_pool: Pool, tmp_path: Path) -> None:
    double, entries = chatwoot(), some(1)
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())
    await applied(settings, stores, Mortal(double))
    (account,) = double.state.accounts.values()
    (webhook,) = account.webhooks.values()
    webhook.subscriptions = ["message_created"]
    tier = next(one for one in account.definitions.values() if one["attribute_key"] == "customer_tier")
    tier["attribute_display_type"] = "text"
    account.labels.clear()

    (done,) = await applied(settings, stores, Mortal(double))

    assert isinstance(done, AppliedPlan)
    assert _lines(done.changes) == ["~ contact attribute customer_tier", "+ label vip", "+ label refund",
                                    "~ webhook's events"]  # fmt: skip
    assert_whole(settings, double, entries, await rows(admin_pool, entries))


async def test_technical_user_of_another_account_stops_its_store_and_no_other(
    settings: Settings, tmp_path: Path
) -> None:
    double, entries = chatwoot(), some(2)
    account = seed.add_account(double, 7, token="administrator")
    (taken,) = double.state.users.values()
    first = next(iter(entries))
    entries[first]["agent_email"] = taken.email
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())

    answers = await applied(settings, stores, Mortal(double))

    assert isinstance(answers[0], Failed)
    assert "belongs to account 7 already" in answers[0].reason
    assert isinstance(answers[1], AppliedPlan)
    assert (len(double.state.accounts), account.webhooks) == (2, {})


async def test_token_that_was_changed_in_chatwoot_is_fetched_again(settings: Settings, tmp_path: Path) -> None:
    double, entries = chatwoot(), some(1)
    stores = secrets_of_file.chosen(file_of(tmp_path, entries, platform_token=double.state.platform_token), ())
    await applied(settings, stores, Mortal(double))
    (user,) = double.state.users.values()
    del double.state.tokens[user.token]
    user.token = "another"
    double.state.tokens["another"] = user

    (done,) = await applied(settings, stores, Mortal(double))

    assert isinstance(done, AppliedPlan)
    assert _lines(done.changes) == ["~ api_access_token"]


async def test_rules_of_tiers_and_what_may_leave_are_the_files_and_new_rules_reckon_everybody_again(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    double, rules = chatwoot("4.13.0"), {"within": "year", "tiers": {"Gold": {"orders": 3}}}
    entries = some(1, tiers=rules, create_contacts=True, allowed_attributes=["customer_tier", "order_count"])
    address = f"http://127.{'.'.join(str(part) for part in secrets.token_bytes(3))}"

    def declared() -> list[WantedStore]:
        path = file_of(tmp_path, entries, platform_token=double.state.platform_token, address=address)
        return secrets_of_file.chosen(path, ())

    stores = declared()
    await applied(settings, stores, Mortal(double))
    assert await planned(settings, stores, Mortal(double)) == {slug: [] for slug in entries}
    (row,) = (await rows(admin_pool, entries)).values()
    assert (row["tier_rules"], row["tiers_after"], row["create_contacts"]) == (rules, "", True)
    assert row["allowed_attributes"] == ["customer_tier", "order_count"]

    (entry,) = entries.values()
    entry["tiers"] = {"tiers": {"Gold": {"spent": 100}}}
    assert await planned(settings, declared(), Mortal(double)) == {slug: ["~ tier_rules"] for slug in entries}


async def test_formats_and_what_agents_may_change_are_the_files_and_concern_everybody(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    double, formats = chatwoot("4.13.0"), {"money": "€ 2.450,00", "date": "15-01-2024", "number": "4.5"}
    entries = some(1, push="shadow", agents_may_change=["support_priority"])
    address = f"http://127.{'.'.join(str(part) for part in secrets.token_bytes(3))}"

    def declared() -> list[WantedStore]:
        path = file_of(tmp_path, entries, platform_token=double.state.platform_token, address=address)
        return secrets_of_file.chosen(path, ())

    await applied(settings, declared(), Mortal(double))
    (row,) = (await rows(admin_pool, entries)).values()
    assert (row["formats"], row["agents_may_change"]) == (None, ["support_priority"])
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "insert into wootstream.customers (organization_id, customer_id) values ($1, 'c1')", row["organization_id"]
        )
    (entry,) = entries.values()
    entry["formats"] = formats
    assert await planned(settings, declared(), Mortal(double)) == {slug: ["~ formats"] for slug in entries}
    await applied(settings, declared(), Mortal(double))
    assert await planned(settings, declared(), Mortal(double)) == {slug: [] for slug in entries}
    async with admin_pool.acquire() as conn:
        due = await conn.fetchval(
            "select person from wootstream.due where organization_id = $1", row["organization_id"]
        )
    (row,) = (await rows(admin_pool, entries)).values()
    assert (row["formats"], due) == (formats, "customer:c1")
