"""Every metric of the doors by name, with its meaning and what to do when it moves."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from services.ingress.doors.refusals import Reason
from services.ingress.stores.store import Store


class StoreNames(Collector):
    """Which short name a store's UUID has.

    The label `store` is the UUID in every metric of the installation: it stays when a store is renamed. To read names:
    `sum by (slug) (rate(wootstream_accepted_total[5m]) * on (store) group_left (slug) wootstream_store_info)`.
    One line for each active store, whatever strangers ask for.
    """

    def __init__(self, stores: Callable[[], Mapping[str, Store]]) -> None:
        self._stores = stores

    def collect(self) -> Iterator[Metric]:
        names = InfoMetricFamily("wootstream_store", "Short names of the stores", labels=("store", "slug"))
        for slug, store in self._stores().items():
            names.add_metric((store.key, slug), {})
        yield names


class IngressMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Durable and answered 2xx. A store that falls silent: look at its webhook in Chatwoot.
        accepted = Counter("wootstream_accepted", "Records accepted", ("door", "store"), registry=registry)
        # Turned away, by reason. skewed: a clock is wrong, theirs or ours. bad_signature after a rotation: the previous
        # secret is gone too early. no_room: Kafka and the spool are both unable, act now. not_opened: a key that sealed
        # stores' secrets is not here, see /ready. `wootstream tail --refused`.
        refused = Counter("wootstream_refused", "Requests refused", ("door", "reason"), registry=registry)
        # Single events of a request that was otherwise taken.
        dropped = Counter("wootstream_events_refused", "Events refused", ("door", "reason"), registry=registry)
        # The same message again, answered as before: its sender does not hear our answers. Look at its time-outs.
        repeated = Counter("wootstream_repeated", "Messages that came again", ("door",), registry=registry)
        # When PostgreSQL last told of the stores, or else the process began (seconds since 1970). A minute ago: it is
        # away or frozen. Stores known
        # by then are served as ever, one attached since is told to come again (not_looked_up).
        self.stores_read = Gauge("wootstream_stores_read_timestamp_seconds", "Stores last read", registry=registry)
        self._accepted, self._refused, self._dropped = accepted, refused, dropped
        self.repeated = repeated.labels
        # A child's look-up costs more than its increment.
        self.accepted = cache(self._child_accepted)
        self.refused = cache(self._child_refused)

    def _child_accepted(self, door: str, store: str) -> Counter:
        return self._accepted.labels(door, store)

    def _child_refused(self, door: str, reason: Reason) -> Counter:
        return self._refused.labels(door, reason.value)

    def dropped(self, door: str, reason: str) -> None:
        self._dropped.labels(door, reason).inc()
