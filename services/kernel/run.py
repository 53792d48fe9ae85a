"""run: what `wootstream run` and every container do."""

import gc
from collections.abc import Callable, Sequence

from services.kernel.process import Process
from services.kernel.settings import Settings
from services.kernel.telemetry.sentry import report_errors
from services.kernel.telemetry.watchdog import Watchdog

# A batch of decoded bodies is thousands of containers that all die together. With Python's own thresholds the collector
# walks them again and again, which was half of a consumer's processor time.
_COLLECT_AFTER = (20_000, 50, 20)


async def run(settings: Settings, services: Sequence[Callable[[Process], None]]) -> int:
    """Run these services in one process until SIGTERM; return its exit code."""
    report_errors(settings)
    process = Process(settings)
    for add_to in services:
        add_to(process)
    collect_seldom()
    with Watchdog():
        return await process.serve()


def collect_seldom() -> None:
    """Let the collector run seldom, and never walk what is there by now: modules and schemas, for life.

    They are several hundred thousand objects. A full collection went through all of them, 50 to 140 ms of the one loop.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    gc.collect()
    gc.freeze()
