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
    extra: dict[str, str] = field(default_factory=dict, compare=False)

    def overrides(self, *, min_insync_replicas: int) -> dict[str, str]:
        """Every override of the topic: Kafka's alter_configs replaces them all, so none may be left out."""
        return {
            "cleanup.policy": "delete",
            "compression.type": "producer",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "min.insync.replicas": str(min_insync_replicas),
            "retention.ms": str(self.kept_days * _DAY_MS),
            "segment.ms": str(_DAY_MS),
            "unclean.leader.election.enable": "false",
            **self.extra,
        }


WEBHOOKS = Topic("chatwoot.webhooks", kept_days=7)
WIDGET_EVENTS = Topic("widget.events", kept_days=7)
SHOP_EVENTS = Topic("shop.events", kept_days=21)
PRIVACY_REQUESTS = Topic("privacy.requests", kept_days=400)

ALL = (WEBHOOKS, WIDGET_EVENTS, SHOP_EVENTS, PRIVACY_REQUESTS)
