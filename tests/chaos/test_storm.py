"""The storm: everything dies again and again while the recording plays, and in the end nothing of it can be seen."""

import random

from tests.chaos.installation import Installation
from tests.chaos.recording import attach, rows
from tests.chaos.storm import at_work, victims
from tests.chaos.verdict import Verdict

_KILLS_A_GENERATION = 25
_LONG_ROUND = 50
_SHORT_RECORDING = 200  # webhooks of it, where few die


async def test_sudden_deaths_of_everything_leave_a_clean_audit_and_the_rows_of_a_calm_run(
    installation: Installation, chance: random.Random, verdict: Verdict, kills: int
) -> None:
    most, consumers = (None, 3) if kills >= _LONG_ROUND else (_SHORT_RECORDING, 2)
    calm, *stormy = [await attach(installation.settings, n) for n in range(2 + kills // _KILLS_A_GENERATION)]

    async with at_work(installation, chance, consumers=consumers) as storm:
        async with storm.playing(stormy, most=most):
            for victim in victims(kills, chance):
                await storm.passes()
                await storm.strikes(victim)
        async with storm.playing([calm], most=most):
            pass
        told, seen = await storm.told()

    assert (told.lost, told.doubled) == (0, 0)
    assert (seen.missing, seen.in_flight, seen.halted, sum(line.dead for line in seen.lines)) == (0, 0, [], 0)
    expected = await rows(installation, calm)
    for generation in stormy:
        assert generation.number not in storm.played or await rows(installation, generation) == expected
    count = sum(count for count, _ in expected.values())
    attack = "kills of consumers, door, Kafka and PostgreSQL"
    verdict.add_compared(attack, kills, told, generations=len(storm.played) - 1, rows=count)
