"""The watchdog: a thread that says where the process stands when its event loop does not turn.

While a loop is blocked nothing in it can speak: no metric, no /live, no log. Only another thread can.
"""

import asyncio
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Self

import structlog

_STILL_SECONDS = 5.0
_POLL_SECONDS = 0.05
_FRAMES = 20
log = structlog.get_logger()


class Watchdog:
    """Watches the loop of the thread that enters it; a loop that stands still is told once, with its stack."""

    def __init__(self, still_seconds: float = _STILL_SECONDS) -> None:
        self._still_seconds = still_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._still_seconds / 5):
            turned = threading.Event()
            self._loop.call_soon_threadsafe(turned.set)
            if not self._waited(turned, self._still_seconds):
                log.error("loop_stands_still", seconds=self._still_seconds, frames=self._frames())
                if self._waited(turned, float("inf")):
                    log.info("loop_turns_again")

    def _waited(self, turned: threading.Event, seconds: float) -> bool:
        """Whether the loop turned in time, or the watch is over: who ends it stands in the loop and waits for us."""
        give_up_at = time.monotonic() + seconds
        while not turned.wait(_POLL_SECONDS):
            if self._over.is_set():
                return True
            if time.monotonic() > give_up_at:
                return False
        return True

    def _frames(self) -> list[str]:
        frame = sys._current_frames().get(self._watched)
        stack = traceback.extract_stack(frame)[-_FRAMES:] if frame else []
        return [f"{one.filename}:{one.lineno} {one.name}" for one in stack]
