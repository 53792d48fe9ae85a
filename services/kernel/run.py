"""run: what `wootstream run` and every container do."""

import gc
from collections.abc import Callable, Sequence
from functools import partial

from services.kernel.preflight import check_keys, tell_of_what_is_lost
from services.kernel.process import Process
from services.kernel.settings import Settings
from services.kernel.telemetry.sentry import report_errors, send_last_errors
from services.kernel.telemetry.watchdog import Watchdog

# The collector looks at the young after so many new containers. What it finds at doors are cycles of connections that
# ended: the fewer at a time, the shorter the hold. A consumer's are batches of decoded bodies, 20,000 and more that die
# together: looked at in their midst, they are walked for nothing, an eighth of its processor time.
DOORS_COLLECT_AFTER = 20_000
CONSUMERS_COLLECT_AFTER = 50_000
_OLD_AFTER, _OLDEST_AFTER = 1_000_000, 20_000_000


async def run(settings: Settings, services: Sequence[Callable[[Process], None]]) -> int:
    """Run these services in one process until SIGTERM; return its exit code."""
    report_errors(settings)
    process = Process(settings)
    for add_to in services:
        add_to(process)
    if process.consumers.wanted:
        process.begin_after(partial(_check_keys, process))
    collect_seldom(CONSUMERS_COLLECT_AFTER if process.consumers.wanted else DOORS_COLLECT_AFTER)
    try:
        with Watchdog():
            return await process.serve()
    finally:
        send_last_errors()


async def _check_keys(process: Process) -> None:
    await check_keys(process.pool(), process.secrets)
    await tell_of_what_is_lost(process.pool(), process.secrets)


def collect_seldom(after: int = DOORS_COLLECT_AFTER) -> None:
    """Let the collector run after so many new containers, and never walk what is there by now: modules and schemas.

    They are several hundred thousand objects. A full collection went through all of them, 50 to 140 ms of the one loop.
    """
    gc.set_threshold(after, _OLD_AFTER // after, _OLDEST_AFTER // _OLD_AFTER)
    gc.collect()
    gc.freeze()
