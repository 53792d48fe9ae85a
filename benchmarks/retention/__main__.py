"""How long a consumer's batches take while a sweep deletes old conversations beside it, against without a sweep.

Batches of five webhooks come at a fixed pace, twenty a second, whatever the one before took; each is measured from when
it was due. A round is fifteen seconds without a sweep, then a sweep of its share of the rows, in the same process.
`python -m benchmarks.retention --json` ends with one object; with fewer `--rows` it is over sooner.
"""

import asyncio
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry

from benchmarks._command import command, sentence, spread
from benchmarks._stack import open_stack
from db.migrate import migrate
from db.pool import scoped
from services.conversations import events, handlers
from services.conversations.events import ConversationFacts
from services.kernel import Process, Settings
from services.privacy.retention.sweep import Sweep, SweepMetrics
from tests.services.conversations import bench
from tests.services.conversations.dialogues import dialogue

_CALM_SECONDS = 15.0
_GAP_SECONDS = 0.05
_MESSAGES = 5  # of a batch, in a conversation that is new; their numbers lie above those of the old ones
_ROWS_EACH = 12  # of an old conversation: itself, its row, eight messages, two reporting events
_ACCOUNT = 3
_STEP = 20_000  # conversations inserted at once
_OLD = (
    """
    insert into wootstream.conversations (organization_id, conversation_id, started_at, inbox_id, status, contact_id)
    select $1, n, now() - interval '800 days' + n * interval '1 second', 1, 'resolved', n
    from generate_series($2::int, $3::int) n
    """,
    """
    insert into public.chatwoot_conversations (organization_id, chatwoot_account_id, chatwoot_conversation_id, status,
      conversation_started_at, last_activity_at, chatwoot_contact_id)
    select $1, 3, n, 'resolved', now() - interval '800 days' + n * interval '1 second', now() - interval '790 days',
      n
    from generate_series($2::int, $3::int) n
    """,
    """
    insert into wootstream.messages (organization_id, conversation_id, message_id, kind, message_type, private,
      sender_id, created_at, deleted)
    select $1, n, n * 10 + m, 'incoming', 'incoming', false, n, now() - interval '800 days' + m * interval '1 minute',
      false
    from generate_series($2::int, $3::int) n, generate_series(1, 8) m
    """,
    """
    insert into wootstream.chatwoot_reporting_events (organization_id, chatwoot_conversation_id, ordinal, name, value,
      inbox_id, event_start, event_end)
    select $1, n, m, 'reply_time', 60, 1, now() - interval '800 days', now() - interval '800 days'
    from generate_series($2::int, $3::int) n, generate_series(0, 1) m
    """,
)
_SINCE = """
insert into wootstream.retention (organization_id, kind, days, since, moved_at)
select $1, 'chat', 730, date_trunc('day', now() at time zone 'UTC' - interval '730 days') at time zone 'UTC',
  now() - interval '2 hours'
"""
_TABLES = (
    "wootstream.conversations", "public.chatwoot_conversations", "wootstream.messages",
    "wootstream.chatwoot_reporting_events",
)  # fmt: skip
_STAY = """
select count(*) from wootstream.messages where organization_id = $1 and created_at < now() - interval '730 days'
"""


class PacedConsumer:
    """Batches at a fixed pace, and the seconds of each from when it was due."""

    def __init__(self, process: Process, store: uuid.UUID, first: int) -> None:
        self._process, self._store, self._next = process, store, first
        self._took: list[float] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        due, batches = time.monotonic(), set[asyncio.Task[None]]()
        while True:
            facts = self._batch()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._keep(facts, due))
            batches.add(task)
            task.add_done_callback(batches.discard)
            due += _GAP_SECONDS

    def _batch(self) -> list[ConversationFacts]:
        begun = datetime.now(UTC) - timedelta(hours=1)
        given = dialogue(self._store, conversation=self._next, messages=_MESSAGES, begun=begun)
        self._next += 1
        return [event for one in given if (event := events.read(one))]

    async def _keep(self, facts: Sequence[ConversationFacts], due: float) -> None:
        async with scoped(self._process.pool(), {self._store}) as conn:
            await handlers.keep(conn, facts)
        self._took.append(time.monotonic() - due)

    def taken(self) -> list[float]:
        """Those since this was last asked."""
        took, self._took = self._took, []
        return took


async def measure(rows: int, rounds: int) -> dict[str, Any]:
    """Fill a store, then sweep it in so many shares."""
    async with open_stack() as (stack, _):
        await migrate(stack.database_url)
        process = Process(Settings.model_validate({"database_url": stack.database_url}))
        admin = await asyncpg.connect(stack.database_url)
        try:
            return await _rounds(process, admin, rows // _ROWS_EACH, rounds)
        finally:
            await process.close()
            await admin.close()


async def _fill(admin: Any, conversations: int) -> uuid.UUID:
    store, began = uuid.uuid4(), time.monotonic()
    await bench.attach(admin, store, account=_ACCOUNT)
    for first in range(1, conversations + 1, _STEP):
        for statement in _OLD:
            await admin.execute(statement, store, first, min(first + _STEP - 1, conversations))
    for table in _TABLES:
        await admin.execute(f"analyze {table}")
    await admin.execute(_SINCE, store)
    print(f"{conversations * _ROWS_EACH:,} old rows made in {time.monotonic() - began:.0f} s")
    return store


async def _rounds(process: Process, admin: Any, conversations: int, rounds: int) -> dict[str, Any]:
    store, registry = await _fill(admin, conversations), CollectorRegistry()
    sweep, consumer = Sweep(process, SweepMetrics(registry)), PacedConsumer(process, store, conversations + 1)
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(_CALM_SECONDS / 2)  # both warm
    without, beside, ratios, paces = list[float](), list[float](), list[float](), list[float]()
    for number in range(rounds):
        consumer.taken()
        await asyncio.sleep(_CALM_SECONDS)
        calm, began, gone = consumer.taken(), time.monotonic(), _gone(registry)
        until = conversations * _ROWS_EACH * (number + 1) / rounds
        while _gone(registry) < until and await sweep.turn():
            pass
        swept = consumer.taken()
        paces.append((_gone(registry) - gone) / (time.monotonic() - began))
        ratios.append(_p99(swept) / _p99(calm))
        without, beside = without + calm, beside + swept
        print(f"p99 {_p99(calm):.3f} s without, {_p99(swept):.3f} s beside; {paces[-1]:,.0f} rows a second")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    stay, ratio = await admin.fetchval(_STAY, store), _p99(beside) / _p99(without)
    print(f"{_gone(registry):,.0f} rows have left, {stay:,} messages of them stay")
    print(f"p99 beside the sweep against without: {ratio:.2f}; by round {sentence(ratios)}")
    return {
        "name": "retention",
        "ratios": {"p99": round(ratio, 3)},
        "figures": {
            "p99 by round": spread(ratios),
            "rows a second": spread(paces, 0),
            "rows": _gone(registry),
            "messages that stay": stay,
            "batches": {"without": len(without), "beside": len(beside)},
            "p99 seconds": {"without": round(_p99(without), 4), "beside": round(_p99(beside), 4)},
        },
    }


def _gone(registry: CollectorRegistry) -> float:
    return registry.get_sample_value("wootstream_retention_rows_total", {"kind": "chat"}) or 0.0


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


if __name__ == "__main__":
    command(measure, "a consumer beside a sweep against one without", amount="rows", default=5_000_000, rounds=5)
