"""Chunks: what is written, read and settled together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.ingress.spool_file import SpoolFile
from services.kernel import Record

_CHUNK_RECORDS = 200
_CHUNK_BYTES = 256 * 1024


class Full(Exception):
    """Nothing more can be written: the cap is reached, or the disk is full or broken."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records that wait, framed; `of` and `id` say where they lie."""

    of: SpoolFile
    id: int
    records: int
    frames: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a chunk: the frames that remain to be published, and what Kafka refused for good, with why."""

    chunk: Chunk
    remaining: Sequence[bytes] = ()
    refused: Sequence[tuple[str, Record]] = ()


def chunks(frames: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The frames in their order, in portions that are read and sealed at once; a large record is one alone."""
    some: list[bytes] = []
    size = 0
    for one in frames:
        if some and (len(some) == _CHUNK_RECORDS or size + len(one) > _CHUNK_BYTES):
            yield some
            some, size = [], 0
        some.append(one)
        size += len(one)
    if some:
        yield some
