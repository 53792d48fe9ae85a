"""`keys`: after a rotation everything opens with the new key alone, whatever was cut short; nobody waits for it."""

import base64
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from pydantic import SecretStr

from db import sealed
from db.pool import PRIVACY, Connection, Pool, scoped
from db.privacy import consents, requests, seals
from schemas.stores import StoreOptions
from schemas.values.consent import PURPOSES
from services.control.keys import reseal, ring
from services.control.stores import attach
from services.ingress.sealed_files import StoreCopies
from services.ingress.stores.disk_copy import StoresCopy, copy_in
from services.kernel import Refusal, Sealed, Settings
from services.kernel.cli.environment import database, stores_named
from services.kernel.consent.words import ConsentWord, ConsentWords
from services.kernel.forgetting.subjects import Subject
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.sealed_trees import opened_tree
from services.kernel.secrets import Secrets, load_secrets, read_keys
from services.privacy.asking import Asked, asked_in
from services.privacy.exports.files import ExportFiles
from tests.services.control.stores.test_attach import shop
from tests.services.control.verbs import answer, call
from tests.services.ingress.spool.shelf_bench import opened, put, record, waiting

NOW = datetime.now(UTC)


async def rows(settings: Settings) -> list[dict[str, Any]]:
    async with database(settings) as pool:
        stores = (await stores_named(pool, None)).values()
        async with scoped(pool, stores) as conn:
            return [dict(row) for row in await sealed.held(conn, stores)]


async def trees(settings: Settings, secrets: Secrets, store: UUID) -> list[TreeKeys]:
    """The keys of the store's records, as these keys open them."""
    async with database(settings) as pool, scoped(pool, {store}) as conn:
        return [opened_tree(store, row, secrets) for row in await seals.of_store(conn, store)]


def opened_with(secrets: Secrets, row: dict[str, Any]) -> dict[str, str]:
    return {
        name: secrets.open(row[name], organization=row["organization_id"], column=sealed.sealed_for(name))
        for name in sealed.COLUMNS
        if row[name]
    }


async def test_after_a_rotation_the_new_key_alone_opens_everything(alone: Settings) -> None:
    [old] = read_keys(alone)
    store = shop(api_access_token="t0ken", seal=True)
    await attach.add(alone, store)
    await attach.add(alone, StoreOptions(slug=store.slug, webhook_secret=SecretStr("newer")))
    [before] = await rows(alone)
    async with opened(alone.data_directory / "spool", key=old) as spool:
        await put(spool, [record(b"%d" % number) for number in range(300)])
    copy = StoresCopy(copy_in(alone.data_directory), load_secrets(alone))
    copy.keep({"organization_id": before["organization_id"], "slug": store.slug})
    await copy.write()

    added = await answer("keys", "add")
    [current, *_] = await answer("keys", "list")
    rotated = await answer("keys", "rotate", added["key"])

    assert (current["secrets of stores"], current["spools here"], current["copies of stores here"]) == (5 + 4, 1, 1)
    assert [(one["key"], one["seals"]) for one in rotated] == [(added["key"], True), (current["key"], False)]
    assert rotated[1]["state"].endswith("it may be dropped")
    new = Secrets(read_keys(alone)[0])
    [after] = await rows(alone)
    assert len(await trees(alone, new, after["organization_id"])) == 4
    assert opened_with(new, after) == opened_with(Secrets(old), before)
    async with opened(alone.data_directory / "spool", key=read_keys(alone)[0]) as spool:
        assert {one.value for one in await waiting(spool)} == {b"%d" % number for number in range(300)}
    assert [row["slug"] for row in StoresCopy(copy_in(alone.data_directory), new).read()] == [store.slug]


_ERASED = """
insert into wootstream.erased_subjects (organization_id, digest, received_before, request_id)
values ($1, decode(repeat('64', 16), 'hex'), now(), gen_random_uuid())
"""
_AGREED = """
insert into wootstream.consents (organization_id, digest, purpose, said_at, given, source)
values ($1, decode(repeat('64', 16), 'hex'), 'chat', now(), true, 'verb')
"""
_HELD = """
insert into wootstream.legal_holds (organization_id, digest, reason)
values ($1, decode(repeat('64', 16), 'hex'), 'a lawsuit')
"""


@asynccontextmanager
async def privacy(settings: Settings, store: UUID) -> AsyncIterator[Connection]:
    """The store as those see it who answer its people."""
    async with database(settings, role=PRIVACY) as pool, scoped(pool, {store}) as conn:
        yield conn


async def asked_by(conn: Connection, store: UUID, person: Subject, secrets: Secrets) -> UUID:
    """Somebody's request to see what is held of them."""
    request, subject = uuid4(), Asked((person,)).sealed(secrets, store)
    await requests.add(conn, store, request, kind="access", source="verb", asked_at=NOW, deadline=NOW, subject=subject)
    return request


@pytest.mark.parametrize("somebody", [_ERASED, _AGREED, _HELD], ids=["erased", "who agreed", "who is to be kept"])
async def test_a_key_that_people_may_need_is_not_told_to_be_of_no_use(alone: Settings, somebody: str) -> None:
    """Without it, what was received about the erased would be applied again."""
    await attach.add(alone, shop(api_access_token="t0ken"))
    [store] = [row["organization_id"] for row in await rows(alone)]
    async with privacy(alone, store) as conn:
        await conn.execute(somebody, store)

    added = await answer("keys", "add")
    rotated = await answer("keys", "rotate", added["key"])

    assert rotated[0]["state"] == "seals"
    assert "keep it" in rotated[1]["state"]
    assert (await answer("keys", "list"))[1]["state"] == rotated[1]["state"]


async def test_whom_requests_and_words_are_about_is_read_with_the_new_key_alone(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for a month, and the old key is dropped meanwhile."""
    monkeypatch.setattr(reseal, "_NAMES", 2)
    old, kept = load_secrets(alone), dict[str, Any]()
    await attach.add(alone, shop(api_access_token="t0ken"))
    [store] = [row["organization_id"] for row in await rows(alone)]
    people = [Subject("email", f"{number}@example.nl") for number in range(5)]
    files = ExportFiles(alone.data_directory, old)
    async with privacy(alone, store) as conn:
        for person in people:
            request = await asked_by(conn, store, person, old)
            await requests.made(conn, store, request, files.write(store, request, person.name.encode()), NOW)
            given = [ConsentWord(store, person, purpose, False, NOW, "verb") for purpose in PURPOSES]
            assert len(await ConsentWords(old).add(conn, given)) == 2

    before = await answer("keys", "list")
    added = await answer("keys", "add")
    [new, dropped] = await answer("keys", "rotate", added["key"])

    place = "requests and words of people"
    assert (before[0][place], new[place], dropped[place]) == (20, 20, 0)
    assert "keep it" in dropped["state"]  # for the words' hashes
    alone_new = Secrets(read_keys(alone)[0])
    async with privacy(alone, store) as conn:
        for row in await requests.open_of_store(conn, store, ["access"]):
            kept[row["id"]] = asked_in(alone_new, store, row["subject"]).names[0]
            file = ExportFiles(alone.data_directory, alone_new).read(store, row["id"], row["export_key"])
            assert file == kept[row["id"]].name.encode()
        words = ConsentWords(alone_new)
        said = Counter(words.opened(store, row["subject"]) for row in await consents.waiting(conn, {store}, 100))
    assert {*kept.values()} == {*people}
    assert said == dict.fromkeys(people, 2)


async def test_key_of_a_request_that_is_not_here_is_named(alone: Settings) -> None:
    await attach.add(alone, shop())
    [store] = [row["organization_id"] for row in await rows(alone)]
    elsewhere = Secrets(os.urandom(32))
    async with privacy(alone, store) as conn:
        await asked_by(conn, store, Subject("email", "jan@example.nl"), elsewhere)

    result = await call("keys", "rotate", "--json")

    listed = {one["key"]: one for one in orjson.loads(result.stdout)}
    assert result.exit_code == 1
    assert listed[elsewhere.key_id]["state"] == "is not here: what it sealed cannot be opened"
    assert listed[elsewhere.key_id]["requests and words of people"] == 1


async def test_rotation_cut_short_goes_on_where_it_was(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await attach.add(alone, shop())
    added = await answer("keys", "add")
    monkeypatch.setattr(reseal, "_STORES", 1)
    put, done = sealed.put, list[Any]()

    async def dies(*arguments: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments[1])
        await put(*arguments)

    monkeypatch.setattr(sealed, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        await reseal_now(alone, added["key"])
    halfway = {row["id"]: row["webhook_secret"] for row in await rows(alone)}
    monkeypatch.setattr(sealed, "put", put)
    [first, second] = await answer("keys", "rotate")

    assert (first["secrets of stores"], second["secrets of stores"]) == (9, 0)
    whole = {row["id"]: row["webhook_secret"] for row in await rows(alone)}
    assert sum(halfway[one] == whole[one] for one in halfway) == 2


async def reseal_now(settings: Settings, key: str) -> None:
    ring.put_first(settings, key)
    async with database(settings) as pool:
        await reseal.reseal(pool, pool, load_secrets(settings), (), lambda _: lambda done, total: None)


async def test_process_that_runs_opens_what_a_key_sealed_that_was_added_since(alone: Settings) -> None:
    running, store = load_secrets(alone), shop()
    await attach.add(alone, store)
    added = await answer("keys", "add")
    await answer("keys", "rotate", added["key"])

    [row] = await rows(alone)
    assert opened_with(running, row)["webhook_secret"] == "s3cret"
    assert running.key_id != added["key"]  # two that run side by side do not change their minds in the middle


async def test_key_that_is_not_here_is_named_and_fails_the_rotation(alone: Settings, admin_pool: Pool) -> None:
    await attach.add(alone, shop())
    lost = load_secrets(alone).key_id
    (alone.data_directory / "installation.key").write_text(base64.b64encode(os.urandom(32)).decode())

    result = await call("keys", "rotate", "--json")

    listed = {one["key"]: one for one in await answer("keys", "list")}
    assert result.exit_code == 1
    assert (listed[lost]["here"], listed[lost]["secrets of stores"]) == (False, 3)
    [row] = await rows(alone)
    with pytest.raises(Sealed, match=f"installation key {lost} sealed it"):
        opened_with(load_secrets(alone), row)


async def test_spool_of_a_living_process_is_left_alone_and_keeps_its_key_needed(alone: Settings) -> None:
    [old] = read_keys(alone)
    added = await answer("keys", "add")
    async with opened(alone.data_directory / "spool", key=old) as spool:
        await put(spool, [record()])
        result = await call("keys", "rotate", added["key"], "--json")
        assert len(await waiting(spool)) == 1
    assert result.exit_code == 1
    assert "opens; needed" in (await call("keys", "list")).stdout


async def test_keys_of_the_environment_are_told_once_and_put_in_order_by_hand(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(2)]
    monkeypatch.setenv("WOOTSTREAM_INSTALLATION_KEY", ",".join(keys))
    added, listed = await answer("keys", "add"), await answer("keys", "list")

    assert len(base64.b64decode(added["text"])) == 32
    assert len(listed) == 2
    with pytest.raises(Refusal, match="first in WOOTSTREAM_INSTALLATION_KEY"):
        await call("keys", "rotate", listed[1]["key"])
    with pytest.raises(Refusal, match="there is no key"):
        await call("keys", "rotate", added["key"])
    assert StoreCopies(alone).by_key() == {}
