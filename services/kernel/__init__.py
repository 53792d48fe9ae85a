"""The kernel: the names that every service is written in.

Each is loaded when somebody asks for it: most verbs say `Refusal`, and need neither an HTTP server nor a Chatwoot.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.kernel.chatwoot.chatwoot_client import Chatwoot, ChatwootAnswer
    from services.kernel.clock import Clock
    from services.kernel.consuming.consume import consume
    from services.kernel.errors import Invalid, Refusal, Retryable, Sealed, Stop
    from services.kernel.process import Process
    from services.kernel.publishing.publish import Publisher
    from services.kernel.record import Record
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
]

_MODULES = {
    "chatwoot.chatwoot_client": ("Chatwoot", "ChatwootAnswer"),
    "clock": ("Clock",),
    "consuming.consume": ("consume",),
    "errors": ("Invalid", "Refusal", "Retryable", "Sealed", "Stop"),
    "process": ("Process",),
    "publishing.publish": ("Publisher",),
    "record": ("Record",),
    "settings": ("Settings",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return value
