"""The installation looked at every minute, as metrics: what no single service can say of itself."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from prometheus_client import Gauge

from db.people import due
from db.pool import scoped
from db.records import audit as audit_table
from db.records.dead_letters import LetterFilter
from schemas import topics
from services.control.dead_letters import letters
from services.control.doctor import database, kafka_state
from services.control.inspection.certificate import certificate_end
from services.control.inspection.metrics import InspectionMetrics
from services.control.ledger import topic_logs
from services.control.ledger.audit import audit
from services.kernel import Process, Refusal, Retryable, Stop
from services.kernel.cli.environment import stores_named
from services.kernel.every import every

_LOOK_SECONDS = 60.0
_AUDIT_SECONDS = 300.0
_CERTIFICATE_SECONDS = 3600.0
_LATELY = timedelta(days=1)  # a loss of last month is known, and would hide the next one
_MOST_REASONS = 1_000


class Inspection:
    """What a process knows of the installation it belongs to."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._metrics = InspectionMetrics(process.registry)

    def start(self) -> None:
        """Look, each at its own pace; what fails here is a remark of /ready and takes nobody out of service."""
        for name, look, seconds in (
            ("database", self._database, _LOOK_SECONDS),
            ("people", self._people, _LOOK_SECONDS),
            ("topics", self._topics, _LOOK_SECONDS),
            ("audit", self._audit, _AUDIT_SECONDS),
            ("retention", self._retention, _AUDIT_SECONDS),
            ("certificate", self._certificate, _CERTIFICATE_SECONDS),
        ):
            # From here on: who never gets to look, because a server was away from the start, is told of as well.
            self._metrics.looked.labels(name).set(self._process.clock.now().timestamp())
            every(self._process, self._noted(name, look), name=f"look at {name}", seconds=seconds, needed=False)

    def _noted(self, name: str, look: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[bool]]:
        async def turn() -> bool:
            try:
                await look()
            except (Stop, Refusal) as reason:  # what ends a verb must not end a process that only looks
                raise Retryable(str(reason)) from reason
            self._metrics.looked.labels(name).set(self._process.clock.now().timestamp())
            return False

        return turn

    async def _database(self) -> None:
        seen = await database.look(self._process.settings, self._process.pool(), self._process.clock)
        metrics = self._metrics
        metrics.migrations.set(len(seen.missing) + len(seen.changed))
        metrics.open_tables.set(len(seen.unprotected) + len(seen.public) + sum(role.bypasses for role in seen.roles))
        metrics.clock_ahead.set(seen.ahead_seconds)
        metrics.partitions_until.set(seen.partitions_until.timestamp() if seen.partitions_until else 0)

    async def _people(self) -> None:
        pool = self._process.pool()
        async with scoped(pool, (await stores_named(pool, None)).values()) as conn:
            behind = await due.behind(conn)
            acts = await audit_table.lately(conn, timedelta(hours=1))
        self._metrics.due.set(behind["people"])
        self._metrics.overdue.set(behind["seconds"])
        _show(self._metrics.actions, {(row["action"],): row["acts"] for row in acts})
        waiting = Counter[tuple[str, ...]]()
        for one in await letters.by_reason(self._process.settings, LetterFilter(), store=None, limit=_MOST_REASONS):
            waiting[one.group, one.kind] += one.letters
        _show(self._metrics.letters, waiting)

    async def _topics(self) -> None:
        seen = (await kafka_state.look(self._process.settings, topics.ALL, self._process.clock)).topics
        _show(self._metrics.behind, {(name,): topic.behind for name, topic in seen.items()})
        _show(self._metrics.leaderless, {(name,): topic.leaderless for name, topic in seen.items()})

    async def _audit(self) -> None:
        found = await audit(self._process.settings, since=self._process.clock.now() - _LATELY)
        self._metrics.clean.set(found.clean)
        for what, count in (
            ("missing", found.missing),
            ("in_flight", found.in_flight),
            ("undelivered", found.not_delivered),
            ("in_spools", found.in_spools),
            ("undrained", sum(one.records for one in found.undrained)),
            ("halted", len(found.halted)),
            ("unread", len(found.unread)),
        ):
            self._metrics.audited.labels(what).set(count)

    async def _retention(self) -> None:
        settings = self._process.settings
        cluster = await topic_logs.look(settings, {topic.name for topic in topics.ALL})
        cut = {(place, log.begin) for place, log in cluster.logs.items() if 0 < log.begin < log.end}
        kept: dict[tuple[str, ...], float] = {}
        for ((topic, _), _), written in (await topic_logs.first_written(settings, cut, cluster)).items():
            age = (self._process.clock.now() - written).total_seconds()
            kept[(topic,)] = min(age, kept.get((topic,), age))
        _show(self._metrics.kept, kept)

    async def _certificate(self) -> None:
        url = self._process.settings.public_url
        if end := await certificate_end(url):
            self._metrics.certificate.labels(urlsplit(url).hostname).set(end.timestamp())


def _show(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """What is no longer there is no longer told."""
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
