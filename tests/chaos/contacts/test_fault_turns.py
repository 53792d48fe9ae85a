"""A Chatwoot that fails in every way by turns: nothing is lost, and the others' stores do not wait for it."""

import random
import time
from pathlib import Path

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.chaos.contacts.front import FAULTS, Front
from tests.chaos.contacts.shop import Shop, sending
from tests.chaos.processes import started
from tests.eventually import eventually

_CALM_SECONDS, _TURN_SECONDS, _ROUND_SECONDS = 30.0, 5.0, 600.0
_PEOPLE = 100


class _Turns:
    """One fault after the other, each for some seconds from the first call that meets it.

    A fault may keep everybody from calling for long: after a 429 nobody calls before the clock's next minute.
    """

    def __init__(self) -> None:
        self._coming, self._now, self._until = list(FAULTS), "", 0.0

    def fault(self) -> str | None:
        """For the call that comes now: the last one stays."""
        if self._coming and time.monotonic() >= self._until:
            self._now, self._until = self._coming.pop(0), time.monotonic() + _TURN_SECONDS
        return self._now

    @property
    def all_met(self) -> bool:
        return not self._coming


class _Latencies:
    """How long Chatwoot takes to show what a shop said."""

    def __init__(self, shop: Shop, chance: random.Random) -> None:
        self._shop, self._chance = shop, chance
        self.seconds: list[float] = []

    async def measure(self, until: float) -> None:
        while time.monotonic() < until:
            number = self._chance.randrange(1, self._shop.people + 1)
            begun = time.monotonic()
            await self._shop.orders([number])
            await eventually(lambda: self._shop.front.held_by(number) == self._shop.wanted[number])  # noqa: B023
            self.seconds.append(time.monotonic() - begun)

    @property
    def p95(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.95)]


@pytest.mark.chaos
@pytest.mark.usefixtures("topics")
async def test_every_fault_by_turns_loses_nothing_and_delays_nobody_else(
    settings: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path, chance: random.Random
) -> None:
    worker = sending(settings, tmp_path / "log", per_second=40.0)
    async with Front().listening() as bad, Front().listening() as well:
        unlucky, other = Shop(pool, bad, _PEOPLE), Shop(pool, well, _PEOPLE)
        for shop in (unlucky, other):
            await shop.open(admin_pool, settings)
        async with started(worker):
            await other.orders(other.wanted)
            await eventually(other.all_know)
            calm = _Latencies(other, chance)
            await calm.measure(time.monotonic() + _CALM_SECONDS)
            begun, turns = time.monotonic(), _Turns()
            bad.fault = turns.fault
            troubled = _Latencies(other, chance)
            while not turns.all_met and time.monotonic() - begun < _ROUND_SECONDS:
                await unlucky.orders(chance.sample(range(1, _PEOPLE + 1), 10))
                await unlucky.nobody_rests()  # or most of the time nobody would be called
                await troubled.measure(time.monotonic() + 1.0)
            bad.fault = lambda: None
            await unlucky.nobody_rests()
            await eventually(unlucky.all_know)
            await eventually(other.all_know)
    met = {call.fault for call in bad.calls if call.fault}
    print(f"faults met {sorted(met)}, {len(bad.calls)} calls")
    print(f"others' p95 {calm.p95:.2f} s before, {troubled.p95:.2f} s meanwhile: {troubled.p95 / calm.p95:.2f} times")
    assert met == set(FAULTS)
