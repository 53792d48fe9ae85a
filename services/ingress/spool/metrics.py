"""Every metric of the acceptance by name, with its meaning and what to do when it moves."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class SpoolMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Where each accepted record was made durable: kafka, spool. `spool` growing: Kafka is away or too slow.
        self.kept = Counter("wootstream_kept", "Records made durable", ("where",), registry=registry)
        # 1 while records go to the spool first. Longer than an outage of Kafka: read the log's `spool_comes_first`.
        self.spooling = Gauge("wootstream_spooling", "1 while the spool comes first", registry=registry)
        # Records that wait for Kafka. Growing: see above; falling: it drains, `wootstream spool status` says how long.
        self.records = Gauge("wootstream_spool_records", "Records waiting in the spool", registry=registry)
        # When the oldest of them was accepted (seconds since 1970), 0 if none waits. Hours ago: nothing drains it.
        self.oldest = Gauge("wootstream_spool_oldest_timestamp_seconds", "Oldest waiting record", registry=registry)
        # Bytes in use and bytes there may be (the cap, or what the disk still gives). Above 80 %: bring Kafka back, or
        # enlarge the volume and WOOTSTREAM_SPOOL_BYTES, before senders are refused.
        self.bytes = Gauge("wootstream_spool_bytes", "Bytes in use by the spool", registry=registry)
        self.limit = Gauge("wootstream_spool_limit_bytes", "Bytes that the spool may use", registry=registry)
        # What it is meant to hold, WOOTSTREAM_SPOOL_BYTES. The limit far below it: others fill its disk, or it is gone.
        self.wanted = Gauge("wootstream_spool_wanted_bytes", "Bytes that the spool is set to", registry=registry)
        # Records the spool turned away for want of room. Any growth: senders got 503, or Kafka took it just so.
        self.no_room = Counter("wootstream_spool_no_room", "Records the spool could not take", registry=registry)
        # Records answered 503 because Kafka refuses them for good, though they fit a topic as we make it. Any growth:
        # somebody changed the topic, `wootstream topics` puts it right. `wootstream tail --refused` names the stores.
        self.never_taken = Counter("wootstream_never_taken", "Records that Kafka refuses for good", registry=registry)
        # Records published out of the spool.
        self.drained = Counter("wootstream_spool_drained", "Records published from the spool", registry=registry)
        # Records Kafka will never take (too large), or damaged. They stay in the file: mend the topic's limit, restart.
        self.refused = Gauge("wootstream_spool_refused_records", "Chunks and records set aside", registry=registry)
        # Files left by dead processes that this installation key cannot open. Above 0: start once with the older key.
        self.unreadable = Gauge("wootstream_spool_unreadable_files", "Spool files not adopted", registry=registry)
        # When the acknowledged offsets last reached PostgreSQL. Minutes ago: PostgreSQL is away, the audit sees less.
        self.written = Gauge(
            "wootstream_acknowledged_written_timestamp_seconds", "Acknowledged offsets written", registry=registry
        )
