"""The kernel: the names that every service is written in."""

from services.kernel.chatwoot.chatwoot_client import Chatwoot, ChatwootAnswer
from services.kernel.clock import Clock
from services.kernel.consuming.consume import consume
from services.kernel.errors import Invalid, Refusal, Retryable, Sealed, Stop
from services.kernel.every import every
from services.kernel.process import Process
from services.kernel.publishing.publish import Publisher
from services.kernel.record import Record
from services.kernel.run import run
from services.kernel.settings import Settings

__all__ = [
    "Chatwoot",
    "ChatwootAnswer",
    "Clock",
    "Invalid",
    "Process",
    "Publisher",
    "Record",
    "Refusal",
    "Retryable",
    "Sealed",
    "Settings",
    "Stop",
    "consume",
    "every",
    "run",
]
