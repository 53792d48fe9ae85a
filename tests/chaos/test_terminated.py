"""PostgreSQL takes a consumer's connection away before, during and after COMMIT, at moments of its own."""

import random

from tests.chaos.installation import Installation
from tests.chaos.scene import consumed
from tests.chaos.verdict import Verdict
from tests.eventually import eventually

_LEAST = 15
_MOMENTS = {
    "before": "state in ('active', 'idle in transaction') and xact_start is not null and query not ilike 'commit%'",
    "during": "state = 'active' and query ilike 'commit%'",
    "after": "state = 'idle' and query ilike 'commit%'",
}
_TERMINATE = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name = 'wootstream' and {moment} limit 1
"""


async def test_connection_terminated_around_commit_loses_and_doubles_nothing(
    installation: Installation, chance: random.Random, verdict: Verdict, kills: int
) -> None:
    times = max(_LEAST, kills // 2)
    await _widen_commit(installation)

    async with consumed(installation, workers=1) as scene:
        for _ in range(times):
            moment = chance.choice(list(_MOMENTS))
            async with installation.admin() as conn:
                await eventually(lambda: conn.fetchval(_TERMINATE.format(moment=_MOMENTS[moment])))  # noqa: B023
        told = await scene.settled()

    assert (told.lost, told.doubled) == (0, 0)
    verdict.add("connections terminated before, during and after COMMIT", times, told)


async def _widen_commit(installation: Installation) -> None:
    """A COMMIT waits 20 ms before it writes, so that a third of the strikes find one under way."""
    async with installation.admin() as conn:
        name = await conn.fetchval("select current_database()")
        for setting in ("commit_delay = 20000", "commit_siblings = 0"):
            await conn.execute(f"alter database {name} set {setting}")
