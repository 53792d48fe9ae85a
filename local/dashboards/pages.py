"""The five pages: is each promise kept, what comes in, how far is what reads it, how is each store, what all stands on."""

from local.dashboards.panels import RATE, Dashboard, Panel

_NAMED = ' * on (store) group_left (slug) max by (store, slug) (wootstream_store_info{slug=~"$store"})'
_ZERO = " or vector(0)"


def _by_day(value: str) -> str:
    """Of the widget's daily counts, which name nobody; the condition is the page's time and store. Drawn at noon: a
    browser west of Greenwich would write a midnight of UTC below the day before. Today's not before it is: a page ends
    now."""
    return (
        f"select least((day + time '12:00') at time zone 'UTC', now()) as time, store as metric, {value} "  # noqa: S608
        "from wootstream.widget_days "
        "where $__timeFilter(day) and store ~ '^($store)$' group by day, store order by day, store"
    )


def _events(kind: str) -> str:
    return f"sum(events) filter (where event_type = '{kind}')"


# As `wootstream report widget` counts: a widget that did not come was not loaded.
_LOADED = f"({_events('widget_loaded')} - coalesce(sum(failures), 0))"


def _by_store(metric: str, *labels: str) -> str:
    kept = ", ".join(("slug", *labels))
    return f"sum by ({kept}) (rate({metric}{RATE}){_NAMED})"


PROMISES = Dashboard(
    "Promises",
    "P1 to P9, each as a number that is to be green",
    (
        Panel("P1 Records waiting in spools", f"sum(wootstream_spool_records){_ZERO}", stat=True, bad=1,
              says="What was answered 2xx is kept: in Kafka, or here until Kafka is back"),
        Panel("P1 Turned away in a day", f'sum(increase(wootstream_refused_total{{reason=~"no_room|never_taken"}}[1d])){_ZERO}', stat=True, bad=1),
        Panel("P2 Set back a minute", f'60 * sum(rate(wootstream_positions_mended_total{{how="seek-back"}}{RATE})){_ZERO}', stat=True, bad=3,
              says="Each record has its effect once: what is offered again is dropped"),
        Panel("P3 Webhooks that figures lack", f'max(wootstream_dead_letters_waiting{{group="conversations"}}){_ZERO}', stat=True, bad=1),
        Panel("P3 Figures of yesterday that are not Chatwoot's",
              f"sum(max by (store) (wootstream_figures_differing and time() - wootstream_figures_compared_timestamp_seconds < 90000)){_ZERO}", stat=True, bad=1,
              says="Compared daily, store by store, with Chatwoot's own reports"),
        Panel("P4 Refused by Chatwoot as too many", f'sum(increase(wootstream_chatwoot_calls_total{{status="429"}}[1d])){_ZERO}', stat=True, bad=1),
        Panel("P4 Longest due at Chatwoot", "max(wootstream_due_overdue_seconds)", unit="s", stat=True, bad=600),
        Panel("P5 Dead letters waiting", f"sum(max by (group, kind) (wootstream_dead_letters_waiting)){_ZERO}", stat=True, bad=1),
        Panel("P6 Outside row security", "max(wootstream_row_security_faults)", stat=True, bad=1),
        Panel("P7 Personal data shown in an hour", f'sum(max by (action) (wootstream_audit_log_last_hour{{action=~".*(reveal|export).*"}})){_ZERO}',
              stat=True, bad=10),
        Panel("P7 Erasures open", f"max(wootstream_privacy_open_erasures){_ZERO}", stat=True, bad=1),
        Panel("P7 Kept beyond its time", "max(wootstream_retention_behind_seconds)", unit="s", stat=True, bad=172_800,
              says="Since all that is older than its store keeps had left"),
        Panel("P7 To be deleted in Chatwoot", f"max(wootstream_chatwoot_deletions_waiting){_ZERO}", stat=True),
        Panel("P8 Audit clean", "max(wootstream_audit_clean)", stat=True, bad=1, below=True),
        Panel("P8 Records missing", 'max(wootstream_audit_found{what="missing"})', stat=True, bad=1),
        Panel("P9 Work that fails", f"sum(wootstream_work_failing > bool 0){_ZERO}", stat=True, bad=1),
        Panel("Alerts that fire", f'count by (alertname, severity) (ALERTS{{alertstate="firing"}}){_ZERO}', "{{alertname}} {{severity}}"),
        Panel("Accepted and read, records a second", f"sum(rate(wootstream_accepted_total{RATE}))", "accepted", unit="reqps"),
        Panel("Days left of the certificate", f"(min by (host) (wootstream_certificate_end_timestamp_seconds) - time()) / 86400{_ZERO}", "{{host}}"),
        Panel("Days that widget events can be kept ahead", "(min(wootstream_widget_partitions_until_timestamp_seconds) - time()) / 86400", "days"),
        Panel("Rows whose time was over, in a day", f"sum by (kind) (increase(wootstream_retention_rows_total[1d])){_ZERO}", "{{kind}}"),
        Panel("Came too late to be kept, in an hour", f"sum by (kind) (increase(wootstream_retention_ignored_total[1h])){_ZERO}", "{{kind}}"),
    ),
)  # fmt: skip

DOORS = Dashboard(
    "Doors",
    "What comes in, what is turned away, and where it is kept",
    (
        Panel("Accepted by door", f"sum by (door) (rate(wootstream_accepted_total{RATE}))", "{{door}}", unit="reqps"),
        Panel("Refused by reason", f"sum by (door, reason) (rate(wootstream_refused_total{RATE})){_ZERO}", "{{door}} {{reason}}", unit="reqps"),
        Panel("Made durable in", f"sum by (where) (rate(wootstream_kept_total{RATE})){_ZERO}", "{{where}}", unit="reqps"),
        Panel("Came again", f"sum by (door) (rate(wootstream_repeated_total{RATE})){_ZERO}", "{{door}}", unit="reqps"),
        Panel("Spool, records", "sum by (instance) (wootstream_spool_records)", "{{instance}}"),
        Panel("Spool, share of its room that is gone", "max by (instance) (1 - (wootstream_spool_limit_bytes - wootstream_spool_bytes) / wootstream_spool_wanted_bytes)", "{{instance}}", unit="percentunit", bad=0.8),
        Panel("Stores last read before", "max by (instance) (time() - wootstream_stores_read_timestamp_seconds)", "{{instance}}", unit="s"),
        Panel("Events of pages refused", f"sum by (reason) (rate(wootstream_events_refused_total{RATE})){_ZERO}", "{{reason}}", unit="reqps"),
        Panel("Requests that broke or were no HTTP", f"sum by (instance) (rate(wootstream_http_broken_total{RATE})) or sum by (reason) (rate(wootstream_http_faults_total{RATE})){_ZERO}",
              "{{instance}} {{reason}}", unit="reqps"),
        Panel("Connections cut", f"sum by (why) (rate(wootstream_http_cut_total{RATE})){_ZERO}", "{{why}}", unit="reqps"),
        Panel("Memory of a process", "process_resident_memory_bytes{job=\"wootstream\"}", "{{service}} {{instance}}", unit="bytes"),
        Panel("Processors of a process", f"rate(process_cpu_seconds_total{{job=\"wootstream\"}}{RATE})", "{{service}} {{instance}}"),
    ),
)  # fmt: skip

CONSUMERS = Dashboard(
    "Consumers",
    "How far each group is, and what became of each record",
    (
        Panel("Age of the oldest record that waits", "max by (group, topic) (wootstream_lag_seconds)", "{{group}} {{topic}}", unit="s", bad=60),
        Panel("Records not yet read", "sum by (group, topic) (wootstream_lag_records)", "{{group}} {{topic}}"),
        Panel("What became of records", f"sum by (group, outcome) (rate(wootstream_records_total{RATE}))", "{{group}} {{outcome}}", unit="reqps"),
        Panel("Seconds of a batch, 99 of 100", f"histogram_quantile(0.99, sum by (group, le) (rate(wootstream_batch_seconds_bucket{RATE})))", "{{group}}", unit="s"),
        Panel("Records in a batch, on average", f"sum by (group) (rate(wootstream_batch_records_sum{RATE})) / sum by (group) (rate(wootstream_batch_records_count{RATE}))", "{{group}}"),
        Panel("Batches offered again", f"sum by (group, reason) (rate(wootstream_retries_total{RATE})){_ZERO}", "{{group}} {{reason}}", unit="reqps"),
        Panel("Partitions halted", f"sum by (group, topic) (wootstream_halted_partitions){_ZERO}", "{{group}} {{topic}}", bad=1),
        Panel("Records lost", f"sum by (group, topic) (wootstream_lost_records_total){_ZERO}", "{{group}} {{topic}}", bad=1),
        Panel("Odd positions settled", f"sum by (group, how) (rate(wootstream_positions_mended_total{RATE})){_ZERO}", "{{group}} {{how}}", unit="reqps"),
        Panel("Work that fails in a row", "max by (work) (wootstream_work_failing) > 0" + _ZERO, "{{work}}", bad=1),
        Panel("Partitions without a replica or a leader",
              "max by (topic) (wootstream_topic_partitions_behind) + max by (topic) (wootstream_topic_partitions_leaderless)", "{{topic}}", bad=1),
        Panel("What the audit finds", "max by (what) (wootstream_audit_found)", "{{what}}"),
    ),
)  # fmt: skip

STORES = Dashboard(
    "Stores",
    "Each store: what it sends, what becomes of it, what goes back to its Chatwoot",
    (
        Panel("Webhooks", _by_store('wootstream_accepted_total{door="webhooks"}'), "{{slug}}", unit="reqps"),
        Panel("Pages and shop events", _by_store('wootstream_accepted_total{door!="webhooks"}', "door"), "{{slug}} {{door}}", unit="reqps"),
        Panel("Webhooks in 24 hours", f'sum by (slug) (increase(wootstream_accepted_total{{door="webhooks"}}[1d]){_NAMED})', "{{slug}}"),
        Panel("Records by what became of them", _by_store("wootstream_records_total", "outcome"), "{{slug}} {{outcome}}", unit="reqps"),
        Panel("Calls to Chatwoot by what became of the marks", f"{_by_store('wootstream_contacts_calls_total', 'outcome')}{_ZERO}", "{{slug}} {{outcome}}", unit="reqps"),
        Panel("Calls to Chatwoot by answer", f"sum by (method, status) (rate(wootstream_chatwoot_calls_total{RATE})){_ZERO}", "{{method}} {{status}}", unit="reqps"),
        Panel("People due", "max(wootstream_due_people)", "due"),
        Panel("Widget, loaded a day", _by_day(f"{_LOADED} as value"), sql=True),
        Panel("Widget, opened of a hundred loaded", _by_day(f"100.0 * {_events('widget_opened')} / nullif({_LOADED}, 0) as value"), sql=True),
        Panel("Widget, conversations started a day", _by_day(f"{_events('conversation_started')} as value"), sql=True),
        Panel("Widget, did not come of a hundred asked for", _by_day(f"100.0 * sum(failures) / {_events('widget_loaded')} as value"), sql=True),
        Panel("Requests to the API by token", f"sum by (caller) (rate(wootstream_api_requests_total{RATE})){_ZERO}", "{{caller}}", unit="reqps"),
    ),
    by_store=True,
)  # fmt: skip

_KAFKA = "kafka_server_brokertopicmetrics"
_QUANTILES = 'max by (request, quantile) (kafka_network_requestmetrics_totaltimems{quantile="0.99"}) / 1000'
_DISKS = '{fstype!~"tmpfs|ramfs|overlay"}'


def _of_postgres(asks: str) -> str:
    """As PostgreSQL's own exporter names it, or CloudNativePG's."""
    return f"{asks} or {asks.replace('pg_', 'cnpg_pg_')}"


SERVERS = Dashboard(
    "Servers",
    "What all of it stands on: Kafka, PostgreSQL, the host",
    (
        Panel("Kafka, active controllers", "sum(kafka_controller_kafkacontroller_activecontrollercount)", stat=True, bad=1, below=True),
        Panel("Kafka, partitions without a leader", "max(kafka_controller_kafkacontroller_offlinepartitionscount)", stat=True, bad=1),
        Panel("Kafka, partitions short of replicas", "sum(kafka_server_replicamanager_underreplicatedpartitions)", stat=True, bad=1),
        Panel("Kafka, partitions that take nothing", "sum(kafka_server_replicamanager_underminisrpartitioncount)", stat=True, bad=1,
              says="Fewer replicas are in sync than an acknowledgement needs: the doors use their spools"),
        Panel("Kafka, folders lost", "sum(kafka_log_logmanager_offlinelogdirectorycount)", stat=True, bad=1),
        Panel("Hours since the last backup", "(time() - max(wootstream_backup_timestamp_seconds)) / 3600", stat=True, bad=26),
        Panel("Kafka, records a second", f"sum by (topic) (rate({_KAFKA}_messagesin_total{RATE}))", "{{topic}}", unit="reqps"),
        Panel("Kafka, bytes a second in", f"sum by (topic) (rate({_KAFKA}_bytesin_total{RATE}))", "{{topic}}", unit="Bps"),
        Panel("Kafka, bytes a second out", f"sum by (topic) (rate({_KAFKA}_bytesout_total{RATE}))", "{{topic}}", unit="Bps"),
        Panel("Kafka, bytes of each topic on all brokers", "sum by (topic) (kafka_log_log_size)", "{{topic}}", unit="bytes"),
        Panel("Kafka, time of a request, 99 of 100", _QUANTILES, "{{request}}", unit="s", bad=1),
        Panel("Kafka, idle share of its threads", "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", "{{instance}}", unit="percentunit"),
        Panel("Kafka, heap in use", 'jvm_memory_used_bytes{area="heap"} / jvm_memory_max_bytes{area="heap"}', "{{instance}}", unit="percentunit"),
        Panel("Kafka, share of time that goes to collecting garbage", f"sum by (instance) (rate(jvm_gc_collection_seconds_sum{RATE}))", "{{instance}}", unit="percentunit", bad=0.2),
        Panel("PostgreSQL, connections", "sum by (state) (pg_stat_activity_count) or sum by (state) (cnpg_backends_total)", "{{state}}"),
        Panel("PostgreSQL, transactions a second", _of_postgres(f"sum by (datname) (rate(pg_stat_database_xact_commit{RATE}))"), "{{datname}}", unit="reqps"),
        Panel("PostgreSQL, blocks read from memory", _of_postgres(
              f"sum(rate(pg_stat_database_blks_hit{RATE})) / (sum(rate(pg_stat_database_blks_hit{RATE})) + sum(rate(pg_stat_database_blks_read{RATE})) > 0)") + _ZERO, "share", unit="percentunit"),
        Panel("PostgreSQL, deadlocks and rollbacks a second", _of_postgres(
              f"sum(rate(pg_stat_database_deadlocks{RATE})) + sum(rate(pg_stat_database_xact_rollback{RATE}))"), "both"),
        Panel("PostgreSQL, size", _of_postgres("max by (datname) (pg_database_size_bytes)"), "{{datname}}", unit="bytes"),
        Panel("Host, processors in use", f'1 - avg by (instance) (rate(node_cpu_seconds_total{{mode="idle"}}{RATE}))', "{{instance}}", unit="percentunit"),
        Panel("Host, memory left", "min by (instance) (node_memory_MemAvailable_bytes)", "{{instance}}", unit="bytes"),
        Panel("Host, disk in use", f"1 - min by (instance, mountpoint) (node_filesystem_avail_bytes{_DISKS} / node_filesystem_size_bytes{_DISKS})",
              "{{instance}} {{mountpoint}}", unit="percentunit", bad=0.85),
        Panel("Host, share of time that its disks work", f"max by (instance, device) (rate(node_disk_io_time_seconds_total{RATE}))", "{{instance}} {{device}}", unit="percentunit"),
    ),
)  # fmt: skip

PAGES = (PROMISES, DOORS, CONSUMERS, STORES, SERVERS)
