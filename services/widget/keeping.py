"""From when on events are kept: what is older was counted, and its month may be gone."""

from collections.abc import Sequence

from db.pool import Connection, scoped
from db.privacy import retention
from db.widget import months
from services.kernel import Process, Record, Retryable
from services.kernel.consent.analytics import AnalyticsConsent
from services.kernel.consent.words import ConsentWords
from services.kernel.forgetting.subjects import Pseudonyms
from services.widget import events, handlers
from services.widget.events import EVERYTHING, KeptSpan, WidgetPost
from services.widget.metrics import WidgetMetrics


class Keeping:
    """Reads and keeps events by what PostgreSQL last said is kept: a moment moves an hour before anything behind it
    goes, so that may be minutes ago."""

    def __init__(self, process: Process, metrics: WidgetMetrics) -> None:
        self._process = process
        self._metrics = metrics
        self._span: KeptSpan | None = None
        self._recent = handlers.RecentEvents()
        self._words = ConsentWords(process.secrets)
        self._analytics = AnalyticsConsent(Pseudonyms(process.secrets))

    def read(self, record: Record) -> WidgetPost | None:
        return events.read(record, self._span or EVERYTHING, self._metrics.count_ignored)

    async def keep(self, conn: Connection, posts: Sequence[WidgetPost]) -> set[Record]:
        """Raises Retryable until it is known which months are gone: these posts were read without it."""
        if self._span is None:
            raise Retryable("which months of widget events are kept was not read yet")
        news = await self._words.heard(conn, [(post.record, post.words) for post in posts if post.words])
        told = [post for post in posts if post.rows]
        return news | await handlers.keep(conn, told, self._analytics.withdrawn, self._recent) if told else news

    async def refresh(self) -> bool:
        """Ask again; for `every`."""
        async with scoped(self._process.pool(), ()) as conn:
            first = min((one["begins"] for one in await months.months(conn) if one["attached"]), default=None)
            by_store = await retention.since(conn, "widget")
        # Without any month the next round of partitions makes the first.
        self._span = KeptSpan(first, by_store) if first else None
        return False
