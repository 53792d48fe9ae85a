"""Batches compressed in a context that is kept: the client makes one for each, at more than a small batch costs.

Of five webhooks a batch it takes 6.5 µs each, in a kept one 4.6, of two 16 and 7; the bytes are as many.
"""

import importlib
import threading
from typing import Any

import zstandard

_LEVEL = 3  # Kafka's own, and the client's
# Where aiokafka's builders look their encoder up, compiled and not.
_BUILDERS = ("aiokafka.record._crecords.default_records", "aiokafka.record.default_records")


class _Context(threading.local):
    """A thread's own: no two may use one at once."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress


_context = _Context()


def keep_context() -> None:
    """Let every producer of this process compress so; the client has no better place to say it."""
    for name in _BUILDERS:
        try:
            builder = importlib.import_module(name)
        except ImportError:  # where nothing is compiled
            continue
        builder.zstd_encode = zstd_encode  # type: ignore[attr-defined]


def zstd_encode(payload: Any) -> bytes:
    """As aiokafka's own."""
    return _context.compress(payload)
