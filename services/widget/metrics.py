"""Every metric of widget events by name, with its meaning and what to do when it moves."""

from uuid import UUID

from prometheus_client import CollectorRegistry, Counter


class WidgetMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Events older than what their store keeps, once for each time that their record is read. Growing: a redrive of
        # old letters, or a sender whose clock is years behind.
        self._ignored = Counter(
            "wootstream_widget_events_ignored", "Events of a time that is gone", ("store",), registry=registry
        )

    def count_ignored(self, store: UUID, events: int) -> None:
        self._ignored.labels(str(store)).inc(events)
