"""What only a foreign producer writes, and no consumer may stop at or die of.

Header keys that are no text are read escaped, as header values are, where aiokafka 0.14 reads nothing at all: its
compiled reader raises UnicodeDecodeError out of getmany, and raises it again at every later call, so that one record
would stop its partition for ever, and what was fetched of the others with it. Of a batch that unfolds too far its last
offset is read, and nothing in it, as if Kafka had compacted the others away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from services.kernel.kafka.unfolding import UnfoldsTooFar, bound_unfolding

log = structlog.get_logger()


def read_anything() -> None:
    """Let every consumer of this process read such batches; the client has no better place to say it."""
    bound_unfolding()
    fetcher.MemoryRecords = _Batches


class _Batches(_MemoryRecordsPy):  # type: ignore[misc]
    """What a fetch brought of one partition."""

    def next_batch(self) -> Any:
        data, batch = self._next_slice, super().next_batch()
        return _Batch(batch, data) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    """A batch that the client's own reader reads as far as it can, and the escaping one from there on."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except (
            UnicodeDecodeError,
            CorruptRecordException,
        ):  # the latter from Python's reader, where nothing is compiled
            yield from _EscapedBatch(self._data)  # from its beginning: the fetcher passes over what it has
        except UnfoldsTooFar:
            first, end = self._batch.base_offset, self._batch.next_offset
            log.error("batch_unfolds_too_far", offset=first, records=end - first, bytes=len(self._data))
            yield _Nothing(end - 1, self._batch.max_timestamp)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """What is read of a batch that is not unfolded, in the shape of the client's records."""

    offset: int
    timestamp: int
    timestamp_type: int = 0
    key: None = None
    value: None = None
    headers: tuple[()] = ()
    checksum: None = None


class _EscapedBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """Python's reader, which cuts keys out of its buffer and decodes them."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes of which every part decodes, escaped where it is no text."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Bytes(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
