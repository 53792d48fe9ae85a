"""The topics: the only place that names one, with its shape on the cluster and its headers' names."""

from dataclasses import dataclass, field

_DAY_MS = 86_400_000
# A webhook body can be 2.7 MB; the door takes 4 MiB; a limit counts the whole batch with its overhead.
MAX_MESSAGE_BYTES = 4_718_592


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name, how long it is kept, and the full set of its overrides."""

    name: str
    kept_days: int
    partitions: int = 12
    bounded_by_bytes: bool = True
    extra: dict[str, str] = field(default_factory=dict, compare=False)

    def overrides(self, *, min_insync_replicas: int, most_bytes: int | None = None) -> dict[str, str]:
        """Every override of the topic: Kafka's alter_configs replaces them all, so none may be left out.

        `most_bytes` bounds the whole topic on each broker that has all its partitions.
        """
        bounds = self._bounds(most_bytes // self.partitions) if most_bytes and self.bounded_by_bytes else {}
        return {
            "cleanup.policy": "delete",
            "compression.type": "producer",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "min.insync.replicas": str(min_insync_replicas),
            "retention.ms": str(self.kept_days * _DAY_MS),
            "segment.ms": str(_DAY_MS),
            "unclean.leader.election.enable": "false",
            **bounds,
            **self.extra,
        }

    @staticmethod
    def _bounds(share: int) -> dict[str, str]:
        """Kafka deletes whole segments, and never the one that it writes: both together are a partition's share."""
        segment = max(share // 5, MAX_MESSAGE_BYTES)
        return {"segment.bytes": str(segment), "retention.bytes": str(max(share - segment, segment))}


WEBHOOKS = Topic("chatwoot.webhooks", kept_days=7)
WIDGET_EVENTS = Topic("widget.events", kept_days=7)
SHOP_EVENTS = Topic("shop.events", kept_days=21)
PRIVACY_REQUESTS = Topic("privacy.requests", kept_days=400, bounded_by_bytes=False)  # or a restore brings them back

ALL = (WEBHOOKS, WIDGET_EVENTS, SHOP_EVENTS, PRIVACY_REQUESTS)
