"""Every metric of the doors by name, with its meaning and what to do when it moves."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter

from services.ingress.refusals import Reason


class IngressMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Durable and answered 2xx. A store that falls silent: look at its webhook in Chatwoot.
        accepted = Counter("wootstream_accepted", "Records accepted", ("door", "store"), registry=registry)
        # Turned away, by reason. skewed: a clock is wrong, theirs or ours. bad_signature after a rotation: the previous
        # secret is gone too early. no_room: Kafka and the spool are both unable, act now. `wootstream tail --refused`.
        refused = Counter("wootstream_refused", "Requests refused", ("door", "reason"), registry=registry)
        # Single events of a request that was otherwise taken.
        dropped = Counter("wootstream_events_refused", "Events refused", ("door", "reason"), registry=registry)
        self._accepted, self._refused, self._dropped = accepted, refused, dropped
        # A child's look-up costs more than its increment.
        self.accepted = cache(self._child_accepted)
        self.refused = cache(self._child_refused)

    def _child_accepted(self, door: str, store: str) -> Counter:
        return self._accepted.labels(door, store)

    def _child_refused(self, door: str, reason: Reason) -> Counter:
        return self._refused.labels(door, reason.value)

    def dropped(self, door: str, reason: str) -> None:
        self._dropped.labels(door, reason).inc()
