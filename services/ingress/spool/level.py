"""How full the spool is: told to the metrics after every turn and every ten seconds, alerted at 80 %, and the reason
in /ready; and how much of it is whose."""

from collections import Counter

import structlog

from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Shelf
from services.kernel import Record

_ROOM_BYTES = 512 * 1024  # of two chunks
# Apart, or a spool that hovers at one mark would alert at every turn.
_ALERT_AT, _CALM_AT = 0.8, 0.7
_HEAD_BYTES = 300  # of a record beside its value, about
log = structlog.get_logger()


class StoreShares:
    """What each store's records take of a room that all stores share. None has more than it leaves free: one fills half
    of it, the next one half of the rest, and whoever floods it turns nobody away but itself."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()
        self.all_bytes = 0  # kept, for it is asked for each record and stores may be thousands

    def fits(self, record: Record, free: float, *, shrunk_to: float = 1.0) -> bool:
        """Whether it has as much of these free bytes as its store; of what is counted here only a part lies there."""
        size = _size(record) * shrunk_to
        return self._bytes[record.store_name] * shrunk_to + size <= free - size

    def add(self, record: Record) -> None:
        self._bytes[record.store_name] += _size(record)
        self.all_bytes += _size(record)

    def remove(self, record: Record) -> None:
        """What was never added is no debt."""
        store = record.store_name
        size = min(_size(record), self._bytes[store])
        self._bytes[store] -= size
        self.all_bytes -= size
        if not self._bytes[store]:
            del self._bytes[store]


def _size(record: Record) -> int:
    return len(record.value) + _HEAD_BYTES


class FillLevel:
    """Measured by the spool's thread, read by everybody."""

    def __init__(self, shelf: Shelf, metrics: SpoolMetrics) -> None:
        self.records = self.refused = 0
        self._shelf = shelf
        self._metrics = metrics
        self._used_bytes = self._freed_bytes = 0
        self.room_bytes = 0  # when it was last measured
        self._refusing = ""  # why the last put found no room
        self._alerted = False
        metrics.unreadable.set(shelf.unreadable)
        metrics.wanted.set(shelf.cap_bytes)
        self.measure()

    def measure(self) -> None:
        """Look, tell the metrics, and log once when it is nearly full."""
        self.records = self._shelf.records
        self._used_bytes = used = self._shelf.used_bytes
        self._freed_bytes = self._shelf.freed_bytes
        self.room_bytes = self._room_bytes
        limit = used + self.room_bytes
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
    def used_bytes(self) -> int:
        return self._used_bytes

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
