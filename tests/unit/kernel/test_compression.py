"""Kafka's batches compressed in a context that is kept."""

from concurrent.futures import ThreadPoolExecutor

import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy

from services.kernel.kafka import compression

_ZSTD = 4


@pytest.mark.parametrize("builder", [DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy])
def test_the_clients_builders_compress_with_it(builder: type, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed: list[bytes] = []

    def seen(payload: bytes) -> bytes:
        compressed.append(bytes(payload))
        return zstd_encode(payload)

    zstd_encode = compression.zstd_encode
    monkeypatch.setattr(compression, "zstd_encode", seen)
    try:
        compression.keep_context()
        batch = builder(
            2, _ZSTD, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=9_000
        )
        batch.append(0, None, key=b"k", value=b"v" * 1_000, headers=[("event", b"e")])
        read = DefaultRecordBatch(bytes(batch.build()))
    finally:
        monkeypatch.undo()
        compression.keep_context()

    assert len(compressed) == 1
    assert [(one.key, one.value, list(one.headers)) for one in read] == [(b"k", b"v" * 1_000, [("event", b"e")])]


def test_threads_do_not_meet_in_a_context() -> None:
    texts = [bytes([number]) * 200_000 + b"end" for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        packed = list(threads.map(compression.zstd_encode, texts))
    assert [bytes(cramjam.zstd.decompress(one)) for one in packed] == texts
