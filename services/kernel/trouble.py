"""Work that fails again and again: when it is tried next, what /ready says meanwhile, and what is logged once.

No failure of work ends a process: its doors, its other groups and loops go on.
"""

import structlog

from services.kernel.clock import Clock, Schedule
from services.kernel.errors import Verdict, cure, describe, kind, verdict
from services.kernel.telemetry.metrics import Metrics

# Whatever failed may be mended by a person alone: a minute is soon enough for that, and seldom enough for the log.
_PAUSES = Schedule((2.0, 5.0, 10.0, 20.0, 40.0, 60.0))
_REPEATED = 3  # one failure, or two, is a server's restart
_OLD_SECONDS = 3 * _PAUSES.seconds[-1]  # work that has not failed for so long is well, whether it says so or not
log = structlog.get_logger()


class Trouble:
    """The failures in a row of one piece of work."""

    def __init__(self, work: str, clock: Clock, metrics: Metrics, *, patience: int = _REPEATED) -> None:
        self._work = work
        self._clock = clock
        self._gauge = metrics.failing.labels(work)
        self._patience = patience  # failures before /ready speaks of them; a fault of the deployment needs but one
        self._failures = 0
        self._failed_at = 0.0
        self._known: set[str] = set()
        self._sentence = ""
        self._grave = False
        self.has_worked = False

    def failed(self, error: BaseException) -> float:
        """Note it, tell it with its traceback the first time; how many seconds to wait before the next try."""
        self._expire()
        self._failures += 1
        self._failed_at = self._clock.monotonic()
        self._grave = verdict(error) is Verdict.STOP
        self._sentence = f"{self._work} does not go on: {describe(error)}; {cure(error)}"
        self._gauge.set(self._failures)
        pause = _PAUSES.after(self._failures - 1)
        about = {"work": self._work, "error": describe(error), "cure": cure(error), "again_in_seconds": pause}
        if (what := f"{kind(error)} {describe(error)}") in self._known:
            log.warning("work_fails_again", **about, failures=self._failures)
        else:
            self._known = {*self._known, what} if len(self._known) < _REPEATED else {what}
            log.error("work_fails", **about, exc_info=error)
        return pause

    def over(self) -> None:
        """It works, perhaps again."""
        self.has_worked = True
        if self._failures:
            log.info("work_goes_on", work=self._work, after_failures=self._failures)
            self._failures, self._known = 0, set()
            self._gauge.set(0)

    def fault(self) -> str | None:
        """For /ready: one sentence with the cure while it fails."""
        self._expire()
        return self._sentence if self._failures >= (1 if self._grave else self._patience) else None

    def _expire(self) -> None:
        if self._failures and self._clock.monotonic() - self._failed_at > _OLD_SECONDS:
            self.over()
