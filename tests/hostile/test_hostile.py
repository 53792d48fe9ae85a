"""A store that attacks with everything it has, beside one that only does its work: the second must not notice.

And whoever judges that notices when it does.
"""

import random

import pytest

from tests.chaos.installation import Installation
from tests.eventually import PATIENCE_SECONDS
from tests.hostile.acts import ACTS, FELT_BY_SLOW_DOORS
from tests.hostile.conftest import is_timed
from tests.hostile.honest import sending
from tests.hostile.judge import cut_short, judge
from tests.hostile.scene import Pace, at_work
from tests.hostile.verdict import Verdict

_IN_MAKE_TEST = 30  # acts, other ones each time
# The promise's rate, and Chatwoot's own patience.
_TIMED = Pace(timed=True, per_second=200, patience_seconds=5, calm_seconds=3, rest_seconds=2, acts_a_wave=6)
# Beside other tests on the same machine, where no time is a claim.
_BUSY = Pace(
    timed=False, per_second=40, patience_seconds=PATIENCE_SECONDS, calm_seconds=0.5, rest_seconds=0, acts_a_wave=1_000
)


async def test_no_act_of_one_store_harms_another(
    installation: Installation, chance: random.Random, verdict: Verdict, request: pytest.FixtureRequest
) -> None:
    named = request.config.getoption("--acts")
    names = sorted(named.split(",") if named else ACTS)
    count = request.config.getoption("--examples") or min(len(names), _IN_MAKE_TEST)

    async with at_work(installation, _TIMED if verdict.timed else _BUSY) as scene:
        async with sending(scene.honest):
            await scene.attacks(seed=chance.randrange(2**32), count=count, names=names)
        judgement = await judge(scene)

    verdict.judged(judgement, cut_short(scene.attack))
    print(judgement.line(timed=verdict.timed))
    assert judgement.broken(timed=verdict.timed) == {}, [worker.told() for worker in scene.workers]


async def test_doors_that_hold_up_their_loop_for_50_ms_are_not_clean(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    if not is_timed(request.config):
        pytest.skip("a time, judged where nothing else runs: make hostile")
    names = sorted(FELT_BY_SLOW_DOORS)

    async with at_work(installation, _TIMED, slow_doors=True) as scene:
        async with sending(scene.honest):
            await scene.attacks(seed=1, count=2, names=names)
        judgement = await judge(scene)

    print(judgement.line(timed=True))
    assert "p99 ratio" in judgement.broken(timed=True)
    assert [*judgement.by_act] == names
