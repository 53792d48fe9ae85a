"""Batches compressed in a context that is kept: the client makes one for each, at more than a small batch costs.

Of five webhooks a batch it takes 6.5 µs each, in a kept one 4.6, of two 16 and 7; the bytes are as many.
"""

import threading
from typing import Any

import zstandard

from services.kernel.kafka.client_codecs import replace_codecs

_LEVEL = 3  # Kafka's own, and the client's


class _Context(threading.local):
    """A thread's own: no two may use one at once."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress


_context = _Context()


def keep_context() -> None:
    """Let every producer of this process compress so."""
    replace_codecs(zstd_encode=zstd_encode)


def zstd_encode(payload: Any) -> bytes:
    """As aiokafka's own."""
    return _context.compress(payload)
