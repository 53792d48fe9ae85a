"""shop.events → orders and customers; contacts hears who is due."""

from schemas import topics
from services.customers import handlers, reading
from services.kernel import Process, consume


def add_to(process: Process) -> None:
    consume(process, topics.SHOP_EVENTS, group="customers", read=reading.read, apply=handlers.keep)
