"""shop.events → orders and customers, widget.events → where they are; contacts hears who is due."""

from schemas import topics
from services.customers import events, handlers
from services.customers.visits import events as visit_events
from services.customers.visits import handlers as visit_handlers
from services.kernel import Process, consume


def add_to(process: Process) -> None:
    """Two groups: members of one group would have to bear one static name, and each would throw the other out."""
    consume(
        process, topics.SHOP_EVENTS, group="customers", read=events.read, apply=handlers.keep, subjects=events.subjects
    )
    consume(
        process, topics.WIDGET_EVENTS, group="visits", read=visit_events.read, apply=visit_handlers.keep,
        subjects=visit_events.subjects,
    )  # fmt: skip
