"""Batches as only a foreign producer writes them: every client of ours makes header keys of text, and small batches."""

import struct
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.codec import zstd_encode
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from services.kernel import Record, Settings
from services.kernel.kafka.client import client_options

# Where the parts of a batch of Kafka's format 2 stand, in bytes.
_LENGTH, _CRC, _ATTRIBUTES, _RECORDS = 8, 17, 21, 61


async def send_with_bytes_for(text: str, odd: bytes, settings: Settings, records: list[Record], partition: int) -> None:
    """Write these records as one compressed batch in which each `text`, ASCII of the same length, is `odd`."""
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        batch: Any = producer.create_batch()
        for one in records:
            batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers))
        batch._buffer = _compressed(bytes(batch._build()).replace(text.encode(), odd))
        await (await producer.send_batch(batch, records[0].topic, partition=partition))


async def send_folded(codec: str, value: bytes, count: int, settings: Settings, topic: str, partition: int) -> None:
    """Write so many records of this value as one batch that is small as long as it is compressed."""
    most = 2 * count * len(value)
    async with AIOKafkaProducer(**client_options(settings), compression_type=codec, max_batch_size=most) as producer:
        batch: Any = producer.create_batch()
        for _ in range(count):
            batch.append(timestamp=None, key=b"x", value=value, headers=[])
        await (await producer.send_batch(batch, topic, partition=partition))


def _compressed(plain: bytes) -> bytearray:
    batch = bytearray(plain[:_RECORDS] + zstd_encode(plain[_RECORDS:]))
    struct.pack_into(">i", batch, _LENGTH, len(batch) - _LENGTH - 4)
    struct.pack_into(">h", batch, _ATTRIBUTES, DefaultRecordBatch.CODEC_ZSTD)
    struct.pack_into(">I", batch, _CRC, calc_crc32c(bytes(batch[_ATTRIBUTES:])))
    return batch
