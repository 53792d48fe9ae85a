"""chatwoot.webhooks → facts → figures; contacts hears whose attributes may have moved."""

from schemas import topics
from services.conversations import handlers
from services.kernel import Process, consume


def add_to(process: Process) -> None:
    """Consume the stores' webhooks about conversations and messages."""
    consume(process, topics.WEBHOOKS, group="conversations", read=handlers.read, apply=handlers.keep)
