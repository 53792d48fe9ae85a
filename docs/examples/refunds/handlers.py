"""What it does."""

from collections.abc import Sequence

from db.people import due
from db.pool import Connection
from docs.examples.refunds.events import Refund
from services.kernel import Record


async def keep(conn: Connection, refunds: Sequence[Refund]) -> set[Record]:
    """Within the transaction that moves the offsets; returned are the records that were news."""
    await due.mark(conn, [(one.record.store, f"customer:{one.customer_id}") for one in refunds])
    return {one.record for one in refunds}
