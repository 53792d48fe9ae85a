"""Two processes that sweep at once, as when one has lost its turn to the other without knowing."""

import asyncio
import random
import secrets
from collections.abc import Iterable
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from schemas.values.retention import RetentionKind
from services.privacy.retention import sweep as sweeping
from services.privacy.retention.sweep import Sweep, SweepMetrics
from services.privacy.retention.walks import WALKS, SweepPage, Walked
from tests.services.privacy.retention.conftest import Installation, swept
from tests.services.privacy.retention.three_years import GeneratedStore, Left, generate, left

_DAYS = {"chat": 400, "visits": 60, "shop": 600, "dead_letters": 60, "audit_log": 400}
_CHATS = (
    "conversations", "chatwoot_conversations", "messages", "changes", "ratings", "chatwoot_reporting_events",
)  # fmt: skip
_TABLES = {"chat": _CHATS, "visits": ("visits",), "shop": ("orders", "shop_facts", "customers"),
           "audit_log": ("audit_log",)}  # fmt: skip


async def _three_years(installation: Installation) -> GeneratedStore:
    """A store of which some is over, at a moment when it may leave."""
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    store = GeneratedStore(random.Random(seed), "Europe/Amsterdam", _DAYS, installation.clock.now())
    generate(store)
    await installation.put(store)
    await installation.sweep().turn()  # the moments move
    installation.clock.ahead = timedelta(hours=1, seconds=1)
    return store


def _gone(before: Left, after: Left) -> dict[str, int]:
    """Rows that left, by kind, as the sweep counts them."""
    rows = {kind: sum(before[one].total() - after[one].total() for one in of_it) for kind, of_it in _TABLES.items()}
    letters = [
        sum(number for (_, is_there), number in one["dead_letters"].items() if is_there) for one in (before, after)
    ]
    return rows | {"dead_letters": letters[0] - letters[1]}


def _counted(registries: Iterable[CollectorRegistry]) -> dict[str, float]:
    found = [one.get_sample_value for one in registries]
    return {kind: sum(one("wootstream_retention_rows_total", {"kind": kind}) or 0 for one in found) for kind in WALKS}


async def test_each_row_leaves_once_and_is_counted_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await _three_years(installation)
    before, registries = await installation.left(store), [CollectorRegistry() for _ in range(2)]
    monkeypatch.setattr(sweeping, "_ROWS", 7)
    await asyncio.gather(*(swept(Sweep(installation.process, SweepMetrics(one))) for one in registries))
    after = await installation.left(store)
    assert after == left(store)
    assert _counted(registries) == _gone(before, after)


@pytest.mark.parametrize("kind", ["visits", "dead_letters"])
async def test_one_that_stands_still_in_its_page_holds_up_no_other(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, kind: RetentionKind
) -> None:
    store, in_it, go_on = await _three_years(installation), asyncio.Event(), asyncio.Event()
    (walk,) = WALKS[kind]

    async def stands(page: SweepPage) -> Walked:
        walked = await walk(page)
        if not in_it.is_set():
            in_it.set()
            await go_on.wait()
        return walked

    monkeypatch.setattr(sweeping, "WALKS", {**WALKS, kind: (stands,)})
    monkeypatch.setattr(sweeping, "_ROWS", sweeping._FEWEST_ROWS)  # tried once
    standing = asyncio.create_task(swept(installation.sweep()))
    await in_it.wait()
    await swept(installation.sweep())
    wanted, meanwhile = left(store), await installation.left(store)
    assert not standing.done()
    assert {table for table in wanted if meanwhile[table] != wanted[table]} == {kind}
    go_on.set()
    await standing
    await swept(installation.sweep())
    assert await installation.left(store) == wanted
