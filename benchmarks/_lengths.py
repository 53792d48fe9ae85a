"""What a message costs in a conversation of 5,000 against one in conversations of 50, webhooks in batches of 50."""

import time
from collections.abc import Sequence

from benchmarks._conversations import ConversationsBench
from db.pool import SERVICE, Pool, open_pool
from services.kernel import Record
from tests.services.conversations.bench import apply
from tests.services.conversations.dialogues import dialogue

_LONG, _SHORT, _BATCH = 5_000, 50, 50


async def long_against_short(bench: ConversationsBench) -> float:
    """How many times as much: 1 is the same."""
    url = bench.settings.database_url
    assert url is not None
    pool = open_pool(url.get_secret_value(), SERVICE)
    try:
        store = await bench.attach(1, "4.13.0")
        numbers = range(2, 2 + _LONG // _SHORT)
        short = [one for number in numbers for one in dialogue(store, conversation=number, messages=_SHORT)]
        await apply(pool, dialogue(store, conversation=1_000, messages=_SHORT), batch=_BATCH)  # warms connections up
        took = await _seconds(pool, short)
        return await _seconds(pool, dialogue(store, conversation=1, messages=_LONG)) / took
    finally:
        await pool.close()


async def _seconds(pool: Pool, given: Sequence[Record]) -> float:
    began = time.perf_counter()
    await apply(pool, given, batch=_BATCH)
    return time.perf_counter() - began
