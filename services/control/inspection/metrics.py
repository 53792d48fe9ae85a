"""Every metric of the inspection by name, with its meaning and what to do when it moves.

Each is a state of the whole installation, the same from each process that looks: alerts take the worst.
"""

import math

from prometheus_client import CollectorRegistry, Gauge


class InspectionMetrics:
    """One set per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # When each look last came to its end, or else the process began (seconds since 1970). Old: its gauges say
        # nothing; see /ready and the log.
        self.looked = Gauge(
            "wootstream_inspected_timestamp_seconds", "When this was last looked at", ("what",), registry=registry
        )
        # 1 while `wootstream audit` of the last day finds nothing missing, halted, unread, undelivered, undrained.
        # 0: run it.
        self.clean = Gauge("wootstream_audit_clean", "1 while the audit finds nothing", registry=registry)
        # What it finds: missing, in_flight, undelivered, in_spools, undrained records; halted, unread partitions.
        self.audited = Gauge("wootstream_audit_found", "What the audit finds", ("what",), registry=registry)
        # Dead letters that nobody has settled. Above 0 for a day: `dead-letters list`, mend, redrive or discard.
        self.letters = Gauge(
            "wootstream_dead_letters_waiting", "Dead letters not settled", ("group", "kind"), registry=registry
        )
        # People whose attributes are due, and how long the first of them has waited beyond its time. Minutes: Chatwoot
        # is slow or away, or no process runs `contacts`.
        self.due = Gauge("wootstream_due_people", "People due at their Chatwoot", registry=registry)
        self.overdue = Gauge("wootstream_due_overdue_seconds", "How long the first has been due", registry=registry)
        # When the last month ends for which widget events can be kept. Below 30 days ahead: `wootstream run widget`
        # makes them, see its log.
        self.partitions_until = Gauge(
            "wootstream_widget_partitions_until_timestamp_seconds", "End of the last month prepared", registry=registry
        )
        # Migrations of this release that the database lacks, and those applied with other text. Above 0: `wootstream
        # migrate`; for the others install the release that was.
        self.migrations = Gauge(
            "wootstream_migrations_pending", "Migrations lacking or with other text", registry=registry
        )
        # Tables without forced row security, roles past it, tables open to everybody. Above 0: at once, `wootstream
        # doctor` names them.
        self.open_tables = Gauge("wootstream_row_security_faults", "Faults of row security", registry=registry)
        # Our clock less PostgreSQL's. Seconds: one of both follows no time server, and signatures will be refused.
        self.clock_ahead = Gauge("wootstream_clock_ahead_seconds", "Our clock less PostgreSQL's", registry=registry)
        # What the audit log holds of the last hour, by action. Many `--reveal`, exports: somebody collects people.
        self.actions = Gauge("wootstream_audit_log_last_hour", "Acts of the last hour", ("action",), registry=registry)
        # Partitions of which a replica lags or is down, and those without a leader. See the brokers' logs.
        self.behind = Gauge(
            "wootstream_topic_partitions_behind", "Partitions with a replica out of sync", ("topic",), registry=registry
        )
        self.leaderless = Gauge(
            "wootstream_topic_partitions_leaderless", "Partitions without a leader", ("topic",), registry=registry
        )
        # Age of the oldest record that a topic still holds, of the partition that holds least, where retention took
        # some. Below what `wootstream topics` asks for in days: the bound in bytes bites before.
        self.kept = Gauge("wootstream_topic_kept_seconds", "How far back it reaches", ("topic",), registry=registry)
        # When the certificate ends that the public URL shows to the world; absent where that URL is no https. Below 21
        # days: its renewal fails.
        self.certificate = Gauge(
            "wootstream_certificate_end_timestamp_seconds",
            "End of the public certificate",
            ("host",),
            registry=registry,
        )
        # What was not looked at yet is no number: neither well nor an alert.
        for gauge in (self.clean, self.due, self.overdue, self.partitions_until, self.migrations, self.open_tables):
            gauge.set(math.nan)
