"""What the API tells of conversations, among the webhooks about them: on real PostgreSQL."""

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from db.pool import Pool, scoped
from schemas.chatwoot import rest
from services.conversations.chatwoot.import_history import HistoryImport
from services.kernel import Record
from services.kernel.chatwoot.chatwoot_client import Unanswered
from tests.recordings.parity import NAMES, compare_events
from tests.recordings.recorded import RUNS, disordered, rows
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.conversations import bench
from tests.services.conversations.recorded_api import RecordedApi


@pytest.mark.parametrize("run", RUNS)
async def test_history_between_webhooks_leaves_chatwoots_rows(run: str, pool: Pool, admin_pool: Pool) -> None:
    """Each conversation is also read through the API, at a random place among its shuffled webhooks."""
    shops = await bench.install(admin_pool, run)
    given = [*bench.records(disordered(run, "11"), shops), *looks(run, shops)]
    random.Random(11).shuffle(given)
    await bench.apply(pool, given)

    compared: Counter[str] = Counter()
    for shop in shops.values():
        async with scoped(pool, {shop.id}) as conn:
            compared += compare_events(run, shop.account, await bench.events_of(conn, shop.id))
            assert await conn.fetchval("select sum(approximate) from wootstream.conversations") == 0
    assert compared == Counter({name: HELD[run][name] for name in NAMES})


async def test_messages_that_do_not_end_are_told_and_read_no_further() -> None:
    page = rest.Messages.model_validate(
        {"payload": [{"id": number, "created_at": 1, "message_type": 0} for number in range(1, 101)]}
    )

    class Endless:
        async def get(self, _path: str, _form: object, *, query: object) -> rest.Messages:
            return page

    history = HistoryImport(cast(Any, None), cast(Any, Endless()))
    with pytest.raises(Unanswered, match="messages of conversation 7 do not end"):
        await history._messages(7)


def looks(run: str, shops: dict[str, bench.Shop]) -> list[Record]:
    """What an import would send."""
    api = RecordedApi(run)
    return [
        bench.record(
            shop.id,
            rest.CONVERSATION,
            orjson.dumps({"conversation": api.conversation(row), "messages": api.messages(shop.account, number)}),
            received_at=datetime(2026, 12, 2, tzinfo=UTC),
        )
        for shop in shops.values()
        for row in rows(run, "conversations", shop.account)
        if (number := row["conversation"])
    ]
