"""chatwoot.webhooks → who is who; due people → the fewest calls to Chatwoot."""

from schemas import topics
from services.contacts import api, events, handlers
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.sender import AttributeSender
from services.kernel import Process, consume
from services.kernel.every import every

_PAUSE_SECONDS = 0.5


def add_to(process: Process) -> None:
    """Consume contacts; send to each Chatwoot that no other process sends to; say what would be sent."""
    consume(process, topics.WEBHOOKS, group="contacts", read=events.read, apply=handlers.keep, subjects=events.subjects)
    api.add_to(process)
    sender = AttributeSender(process, SenderMetrics(process.registry))
    every(process, sender.shift, name="contacts", seconds=_PAUSE_SECONDS)
    process.at_close(sender.release)
