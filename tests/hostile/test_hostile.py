"""A store that attacks with everything it has, beside one that only does its work: the second must not notice."""

import random

import pytest

from tests.chaos.installation import Installation
from tests.eventually import PATIENCE_SECONDS
from tests.hostile.acts import ACTS
from tests.hostile.honest import sending
from tests.hostile.judge import cut_short, judge
from tests.hostile.scene import at_work
from tests.hostile.verdict import Verdict

_IN_MAKE_TEST = 30  # acts, other ones each time
_CALM_SECONDS = 3  # before the attack begins: what the p99 under it is held against
_PER_SECOND, _PATIENCE_SECONDS = 200.0, 5.0  # the promise's, and Chatwoot's own
_SLOWLY = 40.0  # beside other tests on the same machine, where no time is a claim


async def test_no_act_of_one_store_harms_another(
    installation: Installation, chance: random.Random, verdict: Verdict, request: pytest.FixtureRequest
) -> None:
    named = request.config.getoption("--acts")
    names = sorted(named.split(",") if named else ACTS)
    count = request.config.getoption("--examples") or min(len(names), _IN_MAKE_TEST)

    per_second, patience = (_PER_SECOND, _PATIENCE_SECONDS) if verdict.timed else (_SLOWLY, PATIENCE_SECONDS)

    async with at_work(installation, per_second=per_second, patience_seconds=patience) as scene:
        async with sending(scene.honest):
            await scene.honest.has_sent(int(_CALM_SECONDS * per_second))
            begin = len(scene.honest.sent)
            await scene.attacks(seed=chance.randrange(2**32), count=count, names=names)
        judgement = await judge(scene, calm=scene.honest.sent[:begin], attacked=scene.honest.sent[begin:])

    verdict.judged(judgement, cut_short(scene.attack))
    print(judgement.line(timed=verdict.timed))
    assert judgement.broken(timed=verdict.timed) == {}, scene.worker.told()
