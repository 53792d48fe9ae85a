"""run: what `wootstream run` and every container do."""

import gc
from collections.abc import Callable, Sequence

from services.kernel.process import Process
from services.kernel.settings import Settings
from services.kernel.telemetry.sentry import report_errors
from services.kernel.telemetry.watchdog import Watchdog

# A batch of decoded bodies is thousands of containers that all die together. With Python's own thresholds the collector
# walks them again and again, which was half of a consumer's processor time.
COLLECT_AFTER = (50_000, 20, 20)


async def run(settings: Settings, services: Sequence[Callable[[Process], None]]) -> int:
    """Run these services in one process until SIGTERM; return its exit code."""
    gc.set_threshold(*COLLECT_AFTER)
    report_errors(settings)
    process = Process(settings)
    for add_to in services:
        add_to(process)
    with Watchdog():
        return await process.serve()
