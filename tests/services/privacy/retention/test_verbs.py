"""How long a store keeps what, at the command line and over HTTP."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from db.pool import PRIVACY, Pool, open_pool, scoped
from db.privacy import sweeping
from services.cli import command_line
from services.kernel import Process, Refusal, Settings
from services.privacy.retention import api, kept_kinds
from services.privacy.retention.cli import app
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.attached import attach
from tests.services.control.conftest import point_at
from tests.services.conversations.reports.test_cli import call

_NOTED = "select object from wootstream.audit_log where organization_id = $1 and action = 'privacy retention set'"
_LINE = """
insert into wootstream.audit_log (actor, action, object, organization_id, at) values ('a', 'b', 'c', $1, $2)
"""
_FACT = """
insert into wootstream.shop_facts (organization_id, source, event_id, kind, customer_id, order_id, happened_at)
values ($1, 'shop', $2, 'customer.registered', 'c1', $3, $4)
"""
_ORDER = "insert into wootstream.orders (organization_id, order_id, customer_id, placed_at) values ($1, 'o1', 'c1', $2)"
_LETTER = """
insert into wootstream.dead_letters (consumer_group, topic, partition, era, record_offset, kind, reason,
  organization_id, record_value, value_bytes, set_aside_at)
values ('g', 't', 0, 0, (random() * 1e9)::bigint, 'invalid', 'r', $1, 'x', 1, $2)
"""
_HOLD = """
insert into wootstream.legal_holds (organization_id, digest, reason)
values ($1, decode(repeat('64', 16), 'hex'), 'a lawsuit')
"""
_VISIT = """
insert into wootstream.visits (organization_id, customer_id, session_id, first_at, last_at)
values ($1, 'c1', $2, $3, $3)
"""


@pytest.fixture
async def store(admin_pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    point_at(settings, monkeypatch)
    return await attach(admin_pool)


def _slug(store: uuid.UUID) -> str:
    return f"shop-{store.hex[:12]}"


async def test_a_store_says_how_long_and_sees_it(store: uuid.UUID, admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        for number, days in enumerate((5, 12, 40)):
            await conn.execute(_VISIT, store, f"s{number}", datetime.now(UTC) - timedelta(days=days))
    would: dict[str, Any] = orjson.loads(await call(app, "set", _slug(store), "visits", "10", "--dry-run", "--json"))
    assert (would["leaves"], would["dry_run"]) == (2, True)
    before = {one["kind"]: one for one in orjson.loads(await call(app, "show", _slug(store), "--json"))}
    assert (before["visits"]["days"], before["visits"]["said_by"]) == (30, "release")
    assert "the next sweep finds 2 too old" in await call(app, "set", _slug(store), "visits", "10")
    after = {one["kind"]: one for one in orjson.loads(await call(app, "show", _slug(store), "--json"))}
    assert (after["visits"]["days"], after["visits"]["said_by"]) == (10, "store")
    assert (after["chat"]["days"], after["exports"]["days"], after["logs"]["days"]) == (730, 7, 90)
    assert "visits" in await call(app, "show", _slug(store))
    async with admin_pool.acquire() as conn:
        assert [row["object"] for row in await conn.fetch(_NOTED, store)] == ["visits: 10 days"]


async def test_what_is_foretold_of_a_shop_is_what_leaves_and_the_law_is_told_of(
    store: uuid.UUID, settings: Settings, admin_pool: Pool
) -> None:
    old = datetime.now(UTC) - timedelta(days=800)
    async with admin_pool.acquire() as conn:
        for fact, order in (("f1", None), ("f2", None), ("f3", "o1"), ("f4", "o1")):
            await conn.execute(_FACT, store, fact, order, old)
        await conn.execute(_ORDER, store, old)
        await conn.execute(_LETTER, store, old)
    foretold = {}
    for kind, days in (("shop", "400"), ("dead-letters", "10")):
        foretold[kind] = orjson.loads(await call(app, "set", _slug(store), kind, days, "--dry-run", "--json"))
    async with admin_pool.acquire() as conn:
        await conn.execute(_HOLD, store)
    would = orjson.loads(await call(app, "set", _slug(store), "dead-letters", "10", "--dry-run", "--json"))
    told = await call(app, "set", _slug(store), "shop", "400", "--dry-run")

    assert (foretold["shop"]["leaves"], foretold["shop"]["held"]) == (3, False)  # an order, and two words of the shop
    assert (foretold["dead-letters"]["leaves"], would["leaves"], would["held"]) == (1, 0, True)
    assert "3 too old; of these stays what names somebody" in told


@pytest.mark.parametrize(
    ("kind", "days", "why"),
    [("chat", 30, "31 to 3660"), ("logs", 30, "operator"), ("audit_log", 89, "90 to 3660"), ("orders", 9, "no kind")],
)
async def test_what_cannot_be_kept_so_long_is_refused(
    store: uuid.UUID, settings: Settings, kind: str, days: int, why: str
) -> None:
    process = Process(settings)
    with pytest.raises(Refusal, match=why):
        await kept_kinds.keep(process, store, kept_kinds.kind_named(kind), days)
    await process.close()


async def test_over_http_it_is_the_same(settings: Settings, store: uuid.UUID) -> None:
    process = Process(settings.model_copy(update={"api_token": SecretStr("a-token-of-the-operator"), "http_port": 0}))
    api.add_to(process)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.address or serving.done())
    path, headers = f"/api/stores/{_slug(store)}/retention", {"authorization": "Bearer a-token-of-the-operator"}
    async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS, headers=headers) as client:
        said = {"kind": "shop", "days": 500}
        assert (await client.post(path, json=said | {"dry_run": True})).json()["leaves"] == 0
        assert (await client.post(path, json=said)).json()["days"] == 500
        assert (await client.post(path, json=said | {"days": 399})).status_code == 400
        assert {one["kind"]: one["days"] for one in (await client.get(path)).json()}["shop"] == 500
    process.stopping.set()
    assert await serving == 0, process.failure


def test_the_verbs_stand_beside_those_of_privacy() -> None:
    groups = {one.name: one.typer_instance for one in command_line("privacy").registered_groups}
    assert "retention" in {one.name for one in groups["privacy"].registered_groups}  # type: ignore[union-attr]


async def test_the_audit_log_cannot_be_cut_to_less_than_a_season(store: uuid.UUID, database_url: str) -> None:
    pool, now = open_pool(database_url, PRIVACY), datetime.now(UTC)
    async with scoped(pool, {store}) as conn:
        for days in (89, 91):
            await conn.execute(_LINE, store, now - timedelta(days=days))
        assert await sweeping.trim_log(conn, store, now, most=10) == 1
    await pool.close()
