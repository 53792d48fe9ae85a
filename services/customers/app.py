"""shop.events → orders and customers, widget.events → where they are; contacts hears who is due."""

from schemas import topics
from services.customers import handlers, reading, visits
from services.kernel import Process, consume


def add_to(process: Process) -> None:
    """Two groups: members of one group would have to bear one static name, and each would throw the other out."""
    consume(process, topics.SHOP_EVENTS, group="customers", read=reading.read, apply=handlers.keep)
    consume(process, topics.WIDGET_EVENTS, group="visits", read=visits.read, apply=visits.keep)
