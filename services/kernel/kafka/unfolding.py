"""Compressed batches unfolded up to a bound: 4.7 MB of gzip, which a topic takes, would become 4.7 GB.

Only who may write into our topics himself can send such a batch: our own are of 256 KiB, or of one record. What becomes
of one is in foreign_batches.py.
"""

import threading
import zlib
from collections.abc import Callable
from typing import Any

import cramjam

from services.kernel.kafka.client_codecs import replace_codecs

MOST_BYTES = 16 * 1024**2  # three of the largest records
_USUAL_BYTES = 1024**2
_GZIP_WBITS = 31
_NO_ROOM = "failed to write whole buffer"  # cramjam has no better word for it
_XERIAL_HEAD, _XERIAL_BYTES = b"\x82SNAPPY\x00", 16  # of Java's framing: then each block with its length before it
_SNAPPY_LENGTH_BYTES = 5  # at most, of the varint that a block begins with
_usual = threading.local()
Unfold = Callable[[Any], bytes]


class UnfoldsTooFar(Exception):
    """The batch would become larger than any that we read."""


def bound_unfolding() -> None:
    """Let every consumer of this process unfold so."""
    replace_codecs(**{f"{codec}_decode": unfold for codec, unfold in UNFOLDS.items()})


def _gzip(payload: Any) -> bytes:
    found, rest = bytearray(), bytes(payload)
    while rest:
        part = zlib.decompressobj(wbits=_GZIP_WBITS)
        found += part.decompress(rest, MOST_BYTES + 1 - len(found))
        if len(found) > MOST_BYTES:
            raise UnfoldsTooFar
        if not part.eof:
            raise zlib.error("cut short")
        rest = part.unused_data
    return bytes(found)


def _into(decompress_into: Callable[[Any, bytearray], int]) -> Unfold:
    """Into a buffer that is kept, nearly always; only a large batch has one of its own, as large as it may become."""

    def unfold(payload: Any) -> bytes:
        if not hasattr(_usual, "buffer"):
            _usual.buffer = bytearray(_USUAL_BYTES)
        found = filled(_usual.buffer, payload)
        if found is None:
            found = filled(bytearray(MOST_BYTES), payload)
        if found is None:
            raise UnfoldsTooFar
        return found

    def filled(buffer: bytearray, payload: Any) -> bytes | None:
        """None where it does not go in."""
        try:
            size = decompress_into(payload, buffer)
        except cramjam.DecompressionError as error:
            if _NO_ROOM in str(error):
                return None
            raise
        return bytes(memoryview(buffer)[:size])

    return unfold


def _snappy(payload: Any) -> bytes:
    data = memoryview(payload)
    if bytes(data[: len(_XERIAL_HEAD)]) != _XERIAL_HEAD:
        return _snappy_block(data, 0)
    found, at = bytearray(), _XERIAL_BYTES
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4])
        found += _snappy_block(data[at + 4 : end], len(found))
        at = end
    return bytes(found)


def _snappy_block(block: memoryview, before: int) -> bytes:
    if before + cramjam.snappy.decompress_raw_len(bytes(block[:_SNAPPY_LENGTH_BYTES])) > MOST_BYTES:
        raise UnfoldsTooFar
    return bytes(cramjam.snappy.decompress_raw(block))


UNFOLDS: dict[str, Unfold] = {
    "gzip": _gzip,
    "lz4": _into(cramjam.lz4.decompress_into),
    "snappy": _snappy,
    "zstd": _into(cramjam.zstd.decompress_into),
}
