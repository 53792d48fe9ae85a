"""Every metric of the kernel by name, with its meaning and what to do when it moves."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """One set per process, on the process's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Memory, processor time, open files, start of this process: `process_…`, as every exporter names them.
        ProcessCollector(registry=registry)
        # What became of each record: applied, duplicate, ignored, dead. `dead` growing: read `dead-letters list`.
        self.records = Counter(
            "wootstream_records",
            "Records by what became of them",
            ("group", "store", "outcome"),
            registry=registry,
        )
        # Records per transaction. Small under load: the consumer waits for PostgreSQL, look at batch seconds.
        self.batch_records = Histogram(
            "wootstream_batch_records",
            "Records in one transaction",
            ("group",),
            buckets=_RECORDS,
            registry=registry,
        )
        # Seconds per transaction, retries apart. Growing: PostgreSQL is slow, look at locks and disk.
        self.batch_seconds = Histogram(
            "wootstream_batch_seconds",
            "Seconds of one transaction",
            ("group",),
            buckets=_SECONDS,
            registry=registry,
        )
        # Records between the ledger and the log's end. Growing for minutes: too few consumers, or one stands still.
        self.lag_records = Gauge(
            "wootstream_lag_records",
            "Records not yet consumed",
            ("group", "topic", "partition"),
            registry=registry,
        )
        # Age of the oldest record that waits, 0 when none does. Above a minute: figures are late; see batch seconds.
        self.lag_seconds = Gauge(
            "wootstream_lag_seconds", "Age of the oldest record not yet consumed", ("group", "topic"), registry=registry
        )
        # Records older than what their store keeps of a kind, each time that one is read. Growing: a redrive or import
        # of old ones; or fewer days than were meant, see `privacy retention show`.
        self.retention_ignored = Counter(
            "wootstream_retention_ignored", "Records of a time that is over", ("kind", "store"), registry=registry
        )
        # Batches offered again, by SQLSTATE class or exception. Steady: the database is unwell; bursts: a failover.
        self.retries = Counter("wootstream_retries", "Batches offered again", ("group", "reason"), registry=registry)
        # Records set aside by kind: unreadable, refused, bug. Any growth: `dead-letters list`, mend, redrive.
        self.dead = Counter("wootstream_dead_letters", "Records set aside", ("group", "kind"), registry=registry)
        # Offsets that the log lost before we read them. Above 0: data is gone; `audit` names the range.
        self.lost = Counter(
            "wootstream_lost_records", "Records lost by retention", ("group", "topic"), registry=registry
        )
        # Partitions that stand still because their log is another one. Above 0: `offsets show`, then `offsets adopt`.
        self.halted = Gauge("wootstream_halted_partitions", "Partitions halted", ("group", "topic"), registry=registry)
        # Odd positions settled: seek-back, seek-forward, hollow, lost. Now and then after a rebalance is normal; steady
        # seek-back: somebody else commits for the group.
        self.mended = Counter(
            "wootstream_positions_mended", "Odd positions settled", ("group", "how"), registry=registry
        )
        # Failures in a row of background work, or of a group on a topic whose partitions then stand still. Above 0 for
        # two minutes: alert; /ready and the log `work_fails` say what fails and the cure. It goes on by itself.
        self.failing = Gauge("wootstream_work_failing", "Failures in a row, 0 when well", ("work",), registry=registry)
        # Requests that our own code failed to answer, by door. Any growth: alert; the answer's id finds the log's
        # `http_answer_broke`, whose frames say where.
        self.http_broken = Counter(
            "wootstream_http_broken", "Requests answered 500 for a bug of ours", ("where",), registry=registry
        )
        # Requests refused before any door is asked, by fault. `slow_answer`: alert, something hangs; `busy`: one
        # address asks too much at once behind our proxies; the others: somebody speaks no HTTP, which harms nobody.
        self.http_faults = Counter(
            "wootstream_http_faults", "Requests refused by their form", ("reason",), registry=registry
        )
        # Connections cut: `crowd_*` for a new one at the limit of all, `address_*` at that of its address (`_refused`:
        # the new one itself), `late_*` at the deadline of a state. `crowd_*` growing: raise
        # WOOTSTREAM_HTTP_CONNECTIONS, or find who holds them.
        self.http_cut = Counter("wootstream_http_cut", "Connections cut", ("why",), registry=registry)
