"""Every metric of conversations by name, with its meaning and what to do when it moves."""

from datetime import datetime
from uuid import UUID

from prometheus_client import CollectorRegistry, Gauge


class FiguresMetrics:
    """One set per process. Only the process that compares tells of it, so the moment says how old the number is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Figures of the store's last whole day that are not Chatwoot's own. Above 0: `wootstream report compare` shows
        # which, and the likely reason.
        self._differing = Gauge(
            "wootstream_figures_differing", "Figures of a day that are not Chatwoot's", ("store",), registry=registry
        )
        # When that was compared (seconds since 1970). Absent: the store has no API token, was attached on that day, or
        # not all of the day was applied yet.
        self._compared = Gauge(
            "wootstream_figures_compared_timestamp_seconds", "When they were compared", ("store",), registry=registry
        )

    def compared(self, store: UUID, *, at: datetime, differing: int) -> None:
        self._differing.labels(str(store)).set(differing)
        self._compared.labels(str(store)).set(at.timestamp())
