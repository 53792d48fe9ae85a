"""The ledger in memory, by which the kernel is measured without PostgreSQL, answers what the kernel asks."""

import uuid
from typing import Any

from benchmarks._kernel import Remembering
from db.records import ledger
from db.records.ledger import Move


async def test_the_ledger_in_memory_is_entered_and_moved_as_the_real_one() -> None:
    memory: Any = Remembering(partitions=2)
    moves = [Move(0, 7, applied=2, from_offset=5), Move(1, 7, 6, "id", applied=7, from_offset=0)]
    entered = await ledger.enter(memory, "group", "topic", moves, [uuid.uuid4()])
    after = await ledger.look(memory, "group", "topic", [0, 1])
    assert {one: row.next_offset for one, row in entered.rows.items()} == {0: 0, 1: 0}
    assert {one: row.next_offset for one, row in after.items()} == {0: 0, 1: 7}
    assert (entered.gone, entered.erased) == (set(), {})
    assert entered.moved == {1}
