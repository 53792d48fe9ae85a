"""How full the spool is: told to the metrics after every turn, alerted at 80 %, and the reason in /ready."""

import structlog

from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Shelf

_ROOM_BYTES = 512 * 1024  # of two chunks
# Apart, or a spool that hovers at one mark would alert at every turn.
_ALERT_AT, _CALM_AT = 0.8, 0.7
log = structlog.get_logger()


class FillLevel:
    """Measured by the spool's thread, read by everybody."""

    def __init__(self, shelf: Shelf, metrics: SpoolMetrics) -> None:
        self.records = self.refused = 0
        self._shelf = shelf
        self._metrics = metrics
        self._used_bytes = self._freed_bytes = 0
        self._refusing = ""  # why the last put found no room
        self._alerted = False
        metrics.unreadable.set(shelf.unreadable)
        self.measure()

    def measure(self) -> None:
        """Look, tell the metrics, and log once when it is nearly full."""
        self.records = self._shelf.records
        self._used_bytes = used = self._shelf.used_bytes
        self._freed_bytes = self._shelf.freed_bytes
        limit = used + self._room_bytes
        self._metrics.records.set(self.records)
        self._metrics.oldest.set(self._shelf.oldest_at or 0)
        self._metrics.bytes.set(used)
        self._metrics.limit.set(limit)
        self.refused = self._shelf.refused
        self._metrics.refused.set(self.refused)
        if used >= _ALERT_AT * limit and not self._alerted:
            self._alerted = True
            log.error("spool_fills", used_bytes=used, limit_bytes=limit, records=self.records)
        elif used < _CALM_AT * limit:
            self._alerted = False

    @property
    def _room_bytes(self) -> int:
        return max(0, min(self._shelf.cap_bytes - self._used_bytes, self._freed_bytes + self._shelf.disk_bytes))

    def no_room(self, why: str, records: int) -> None:
        """The spool turned these away."""
        if not self._refusing:
            log.error("spool_is_full", why=why, used_bytes=self._used_bytes)
        self._refusing = why
        self._metrics.no_room.inc(records)

    def fault(self) -> str | None:
        """Why nothing more can be put in, looked at anew; None while there is room."""
        if self._room_bytes > _ROOM_BYTES:
            self._refusing = ""
        return f"the spool takes no more ({self._refusing})" if self._refusing else None
