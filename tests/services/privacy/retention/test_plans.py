"""The sweep walks along indexes: no page is sorted, and none begins with a scan of a table."""

import uuid
from datetime import UTC, datetime

import pytest

from db.pool import Pool
from db.privacy import sweeping

_NOW = datetime.now(UTC)
_PAGES: dict[str, tuple[str, tuple[object, ...]]] = {
    "conversations_begun": (sweeping._CHATS, (_NOW, _NOW, 0, 10)),
    "orders_last": (sweeping._ORDERS, (_NOW, _NOW, "", 10)),
    "shop_facts_of_customers": (sweeping._FACTS, (_NOW, _NOW, "", "", 10)),
    "visits_begun": (sweeping._VISITS, (_NOW, _NOW, "", "", 10)),
}


@pytest.mark.parametrize("index", _PAGES)
async def test_a_page_is_read_in_the_order_of_its_index(index: str, own_pool: Pool) -> None:
    statement, arguments = _PAGES[index]
    async with own_pool.acquire() as conn, conn.transaction():
        await conn.execute("set local enable_seqscan = off")
        rows = await conn.fetch(f"explain {statement}", uuid.uuid4(), *arguments)
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert index in plan
    assert "Sort" not in plan
