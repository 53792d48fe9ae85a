"""How large a record is as Kafka counts it: the one judgement, for doors, spool, publisher and redrive alike."""

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.topics import MAX_MESSAGE_BYTES
from services.kernel.record import Record

# The longest origin, for the record may be sent again: what fits once fits whoever sends it.
_ORIGIN_BYTES = len("reconcile")
# What zstd cannot compress it stores: 3 bytes more a block of 128 KiB, and a frame around them (RFC 8878, 3.1.1).
_GROWS_SHIFT, _FRAME_BYTES = 15, 22


def size_in_kafka(record: Record) -> int:
    """Bytes of a batch of this record alone: what a broker holds against `max.message.bytes`, or little more."""
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    return size + (size >> _GROWS_SHIFT) + _FRAME_BYTES


def fits(record: Record) -> bool:
    """Whether a topic as we make it takes the record, under whatever origin it is sent again."""
    most = size_in_kafka(record) + _ORIGIN_BYTES
    return most <= MAX_MESSAGE_BYTES or most - len(record.origin or "") <= MAX_MESSAGE_BYTES
