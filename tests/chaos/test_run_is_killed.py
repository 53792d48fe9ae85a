"""kill -9 of the whole of `wootstream run` in mid-replay: after another start nothing of it can be seen."""

import random

from services.control.ledger.audit import audit
from tests.chaos.installation import Installation
from tests.chaos.load import playing
from tests.chaos.processes import started
from tests.chaos.recording import Recording, attach, heard, rows
from tests.chaos.running import nothing_in_flight, run, sender, topics_of_its_own
from tests.chaos.sink import Told
from tests.chaos.verdict import Verdict

_MOMENTS, _FEWEST = 5, 1
_WEBHOOKS = 150
_PER_SECOND = 200.0


async def test_run_killed_in_mid_replay_and_started_again_leaves_the_rows_of_a_run_without_the_kill(
    installation: Installation, chance: random.Random, verdict: Verdict, long: bool
) -> None:
    moments = _MOMENTS if long else _FEWEST
    calm, *struck = [await attach(installation.settings, number) for number in range(1 + moments)]
    whole = run(installation, instance="whole")

    async with topics_of_its_own(installation), started(whole), sender(whole) as client:
        for generation in (calm, *struck):
            recording = Recording(client, [generation], heard(_WEBHOOKS))
            async with playing(recording, per_second=_PER_SECOND) as load:
                if generation is not calm:
                    await load.comes_to(chance.randrange(_WEBHOOKS))
                    await whole.kill()
                    await whole.start()
                await load.finish()
        await nothing_in_flight(installation)
        seen = await audit(installation.settings)

    assert (seen.missing, seen.halted, sum(line.dead for line in seen.lines)) == (0, [], 0)
    expected = await rows(installation, calm)
    assert [await rows(installation, generation) for generation in struck] == [expected] * moments
    read, again = (sum(getattr(line, name) for line in seen.lines) for name in ("consumed", "redelivered"))
    # Nothing is doubled where the rows are the same: this round has no table without keys.
    told, count = Told(read, seen.missing, 0, again), sum(count for count, _ in expected.values())
    attack = "kills of the whole of `wootstream run` in mid-replay"
    verdict.add_compared(attack, moments, told, generations=moments, rows=count)
