"""The nightly sweep: what is left of three years is what its store keeps, however often it is killed on the way."""

import asyncio
import random
import secrets
from collections import Counter
from datetime import datetime, timedelta

import pytest

from services.kernel.forgetting.subjects import Subject
from services.privacy.retention import sweep as sweeping
from tests.services.privacy.retention.conftest import Installation, swept
from tests.services.privacy.retention.three_years import HELD_CONTACT, HELD_CUSTOMER, GeneratedStore, generate, left

_DAYS = {"chat": (31, 1100), "visits": (1, 365), "shop": (400, 1100), "dead_letters": (7, 365), "audit_log": (92, 1100)}
_ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "UTC")


def _stores(chance: random.Random, now: datetime) -> list[GeneratedStore]:
    stores = []
    for number, zone in enumerate(_ZONES):
        days = {kind: chance.randint(*span) for kind, span in _DAYS.items()}
        stores.append(GeneratedStore(chance, zone, days, now, holds=number == 1))
        generate(stores[-1])
    return stores


async def test_what_is_left_of_three_years_is_what_each_store_keeps(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    stores = _stores(chance, installation.clock.now())
    for store in stores:
        await installation.put(store)
        if store.holds:
            held = [Subject("customer", HELD_CUSTOMER), Subject("contact", str(HELD_CONTACT))]
            await installation.hold(store.id, held)
    monkeypatch.setattr(sweeping, "_ROWS", 7)
    monkeypatch.setattr(sweeping, "_PAGES", 3)
    await installation.sweep().turn()
    for store in stores:
        assert (await installation.left(store))["conversations"].total() == 40, (
            "within the hour in which a moment moved"
        )
    installation.clock.ahead = timedelta(hours=1, seconds=1)
    kills = await _swept_though_killed(installation, chance)
    print(f"killed {kills} times")
    for store in stores:
        found, wanted = await installation.left(store), left(store)
        assert {table: (found[table] - rows, rows - found[table]) for table, rows in wanted.items()} == dict.fromkeys(
            wanted, (Counter(), Counter())
        )


async def _swept_though_killed(installation: Installation, chance: random.Random) -> int:
    """Begin sweeps and kill them at any moment, until one ends by itself; how many were killed."""
    kills = 0
    while True:
        task = asyncio.create_task(swept(installation.sweep()))
        await asyncio.wait({task}, timeout=0.05 + chance.random() * 0.3 * (1 + kills / 5))
        if task.done():
            await task
            return kills
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        kills += 1
