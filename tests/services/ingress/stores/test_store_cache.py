"""Which stores the doors know: at once when one is attached, as ever while PostgreSQL is frozen, only what changed."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from db.pool import Pool
from services.ingress.metrics import IngressMetrics
from services.ingress.stores import store_cache as module
from services.ingress.stores.change_notices import ChangeNotices
from services.ingress.stores.store_cache import StoreCache
from services.kernel import Process, Settings
from services.kernel.secrets import load_secrets
from tests.eventually import eventually
from tests.services.ingress.attaching import attached_under_fire, invented, post
from tests.services.ingress.bench import Shop, open_shop, serving
from tests.services.ingress.freezing import Line
from tests.services.ingress.page import Page

pytestmark = pytest.mark.usefixtures("topics")
_BODY = b'{"event":"message_created","id":9,"account":{"id":3},"conversation":{"id":7}}'
_ATTACHED = 5


async def test_a_store_is_taken_by_every_door_as_soon_as_its_attaching_has_returned(settings: Settings) -> None:
    """Its senders post all the while; what they began before it was attached may be refused, and nothing after."""
    async with serving(settings) as (_, one), serving(settings) as (_, other):
        answers = await asyncio.gather(*(attached_under_fire(settings, [one, other]) for _ in range(_ATTACHED)))

    assert {401} <= {status for before, _ in answers for status in before} <= {401, 204}
    assert {status for _, after in answers for status in after} == {204}


async def test_while_postgresql_is_frozen_known_stores_are_served_and_unknown_names_answered_in_time(
    settings: Settings, admin_pool: Pool
) -> None:
    known, later = await open_shop(admin_pool, settings), invented()
    assert settings.database_url
    async with (
        Line(settings.database_url.get_secret_value()).laid() as line,
        serving(settings.model_copy(update={"database_url": SecretStr(line.url)})) as (_, client),
    ):
        assert (await post(client, later), await post(client, known)) == (401, 204)
        line.flows.clear()
        strangers = [asyncio.create_task(post(client, one)) for one in (later, invented(), invented())]
        served = set()
        while not all(one.done() for one in strangers):
            served.add(await post(client, known))
        ready = await client.get("/ready")
        line.flows.set()
        # A connection that was given up in the middle of a statement is nobody's next one.
        await eventually(lambda: _answers(client, invented(), 401))

    assert ([await one for one in strangers], served) == ([503] * 3, {204})
    assert ready.status_code == 200


async def test_ready_says_since_when_postgresql_tells_nothing_of_the_stores(
    settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_shop(admin_pool, settings)
    async with serving(settings) as (_, client):
        await eventually(lambda: _ready(client, "ok"))
        monkeypatch.setattr(module, "_OLD_SECONDS", 0.0)

        answer = await client.get("/ready")

    assert answer.status_code == 200
    assert "PostgreSQL has not told of the stores" in answer.text


async def test_a_page_whose_token_is_good_is_told_to_come_again_where_nobody_has_told_of_its_store(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    """Another door gave the token; this one began while PostgreSQL was away, and has no copy of the stores."""
    shop, alone = await open_shop(admin_pool, settings), tmp_path / "alone"
    alone.mkdir()
    async with serving(settings) as (_, client):
        visitor = Page(settings, shop, client).visitor
        await visitor.arrive()
    nobody = SecretStr("postgresql://nobody@127.0.0.1:1/none")
    load_secrets(settings)  # which makes the key where there is none
    key = settings.data_directory / "installation.key"
    changes = {"data_directory": alone, "database_url": nobody, "installation_key_file": key}
    async with serving(settings.model_copy(update=changes)) as (_, client):
        late = Page(settings, shop, client).visitor
        late.config = visitor.config
        answer = await late.report(late.event("page_viewed"))
        late.config = {"token": "x"}
        forged = await late.report(late.event("page_viewed"))

    assert (answer.status_code, answer.headers["retry-after"], forged.status_code) == (503, "5", 401)


async def test_how_long_postgresql_has_not_told_of_the_stores_is_counted_from_the_start_where_it_never_did(
    settings: Settings,
) -> None:
    """An alert asks for it: this door knows of no rotated secret and no suspension."""
    began = time.time()
    nobody = SecretStr("postgresql://nobody@127.0.0.1:1/none")
    async with serving(settings.model_copy(update={"database_url": nobody})) as (_, client):
        lines = (await client.get("/metrics")).text.splitlines()

    [read_at] = [float(line.split()[1]) for line in lines if line.startswith("wootstream_stores_read_timestamp")]
    assert began - 1 < read_at < time.time()


async def _ready(client: httpx.AsyncClient, text: str) -> bool:
    return (await client.get("/ready")).text == text


async def test_only_what_has_changed_is_opened_and_written_again(settings: Settings, admin_pool: Pool) -> None:
    same, moved, gone = [await open_shop(admin_pool, settings) for _ in range(3)]
    process = Process(settings)
    directory = StoreCache(process, IngressMetrics(CollectorRegistry()))
    copy = settings.data_directory / "ingress" / "stores.sealed"
    try:
        await directory.refresh()
        written, before = copy.stat().st_mtime_ns, dict(directory.known.by_id)
        await directory.refresh()
        assert copy.stat().st_mtime_ns == written

        async with admin_pool.acquire() as conn:
            await conn.execute("update public.chatwoot_accounts set locale = 'de' where slug = $1", moved.slug)
            await conn.execute(
                "update public.chatwoot_accounts set account_status = 'suspended' where slug = $1", gone.slug
            )
        await directory.refresh()
        remembered = StoreCache(process, IngressMetrics(CollectorRegistry())).known
    finally:
        await process.close()

    assert {one for one, store in before.items() if directory.known.by_id.get(one) is not store} == {moved.id, gone.id}
    for known in (directory.known, remembered):
        assert known.by_slug[moved.slug].locale == "de"
        assert same.slug in known.by_slug
        assert gone.slug not in known.by_slug


async def test_a_secret_that_refuses_is_looked_at_again_without_a_poll(
    settings: Settings, admin_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 3_600.0)
    monkeypatch.setattr(ChangeNotices, "listen", _hears_nothing)
    shop, other = await open_shop(admin_pool, settings), invented()
    changed = Shop(shop.id, shop.slug, other.secret, shop.website_token)
    async with serving(settings) as (process, client):
        assert await post(client, shop) == 204
        sealed = process.secrets.seal(other.secret, organization=shop.id, column="webhook_secret")
        async with admin_pool.acquire() as conn:
            await conn.execute(
                "update public.chatwoot_accounts set webhook_secret = $2 where slug = $1", shop.slug, sealed
            )
        assert await post(client, changed) == 401

        await eventually(lambda: _answers(client, changed, 204))


async def _hears_nothing(_notices: ChangeNotices) -> None:
    """PostgreSQL would tell of the change, and sometimes before the post that is to be refused."""


async def _answers(client: httpx.AsyncClient, shop: Shop, status: int) -> bool:
    return await post(client, shop) == status


async def test_a_damaged_copy_costs_the_lines_that_cannot_be_read(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(admin_pool, settings)
    alone = settings.model_copy(update={"data_directory": tmp_path, "installation_key_file": None})
    (tmp_path / "installation.key").write_text((settings.data_directory / "installation.key").read_text())
    process = Process(alone)
    try:
        await StoreCache(process, IngressMetrics(CollectorRegistry())).refresh()
        copy = tmp_path / "ingress" / "stores.sealed"
        kept = next(line for line in copy.read_bytes().splitlines() if line.startswith(str(shop.id).encode()))
        copy.write_bytes(b"\xff\xfe\n" + kept[:-9] + b"\n\n" + kept.replace(b"v1", b"v1.", 1) + b"\n" + kept + b"\n")

        remembered = StoreCache(process, IngressMetrics(CollectorRegistry())).known
    finally:
        await process.close()

    assert set(remembered.by_slug) == {shop.slug}
