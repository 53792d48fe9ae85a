"""How records lie in the spool: framed one by one as they come, compressed and sealed together, a chunk at a time."""

import struct
import zlib
from collections.abc import Iterable, Iterator

import orjson

from services.kernel import Record
from services.kernel.secrets import Secrets

_LENGTHS = struct.Struct("<II")  # of the head and of the value
PLACE = "spool"
_ORIGIN = ("origin", b"spool")
_FASTEST = 1  # zlib's level: the thread that compresses is the one that everybody waits for


def frame(record: Record) -> bytes:
    """One record as bytes. Latin-1 maps every byte to itself, so keys and headers survive JSON whatever they hold."""
    key = record.key.decode("latin-1") if record.key is not None else None
    headers = [(name, value.decode("latin-1")) for name, value in record.headers]
    head = orjson.dumps((record.topic, key, headers))
    return _LENGTHS.pack(len(head), len(record.value)) + head + record.value


class Unframed(Exception):
    """What was opened holds no records as this release frames them."""


def unframe(frames: bytes) -> list[Record]:
    """The records in their order. They keep id and received-at; their origin says from now on that they waited.

    Raises Unframed.
    """
    try:
        return list(_unframed(frames))
    except (struct.error, ValueError, TypeError) as error:
        raise Unframed(f"holds no records of this release ({type(error).__name__})") from error


def _unframed(frames: bytes) -> Iterator[Record]:
    at = 0
    while at < len(frames):
        head_length, value_length = _LENGTHS.unpack_from(frames, at)
        value_at = at + _LENGTHS.size + head_length
        topic, key, headers = orjson.loads(frames[at + _LENGTHS.size : value_at])
        at = value_at + value_length
        if at > len(frames):
            raise ValueError("cut short")
        yield Record(
            topic,
            key.encode("latin-1") if key is not None else None,
            frames[value_at:at],
            tuple(_ORIGIN if name == "origin" else (name, text.encode("latin-1")) for name, text in headers),
        )


def seal(secrets: Secrets, frames: Iterable[bytes]) -> bytes:
    """A chunk: webhooks resemble each other, so compressing them together makes a spool last many times as long."""
    return secrets.seal_bytes(zlib.compress(b"".join(frames), _FASTEST), place=PLACE)


def unseal(secrets: Secrets, sealed: bytes) -> bytes:
    """Raises Sealed when it cannot be opened, Unframed when what it holds cannot be unpacked."""
    try:
        return zlib.decompress(secrets.open_bytes(sealed, place=PLACE))
    except zlib.error as error:
        raise Unframed("does not unpack") from error
