"""shop.events → who was refunded is due."""

from docs.examples.refunds import events, handlers
from schemas import topics
from services.kernel import Process, consume


def add_to(process: Process) -> None:
    """A group of its own sees every record."""
    consume(
        process, topics.SHOP_EVENTS, group="refunds", read=events.read, apply=handlers.keep, subjects=events.subjects
    )
