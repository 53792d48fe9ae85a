"""A spool on a directory of one test, as a process has it; no Kafka."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.ingress.spool.level import FillLevel
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import ChunkOutcome, Shelf
from services.ingress.spool.spool import Spool
from services.kernel import Clock, Record
from services.kernel.secrets import Secrets
from tests.eventually import PATIENCE_SECONDS

KEY = os.urandom(32)


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    key: bytes = KEY,
    cap_bytes: int = 64 * 1024**2,
    shelf_of: type[Shelf] = Shelf,
    clock: Clock | None = None,
) -> AsyncIterator[Spool]:
    """A spool as a process has it, given up at the end with what is still in it."""
    shelf = shelf_of(directory, Secrets(key), cap_bytes=cap_bytes)
    spool = Spool(shelf, FillLevel(shelf, SpoolMetrics(CollectorRegistry())), clock or Clock())
    try:
        yield spool
    finally:
        await spool.close()


def record(value: bytes = b"{}", *, key: bytes | None = b"k") -> Record:
    accepted = Record.accepted(
        "chatwoot.webhooks",
        key=b"",
        value=value,
        store=uuid.uuid4(),
        event="e",
        origin="webhook",
        received_at=datetime.now(UTC),
    )
    return Record(accepted.topic, key, value, accepted.headers)


async def put(spool: Spool, records: Sequence[Record]) -> None:
    await asyncio.gather(*(spool.put(one, PATIENCE_SECONDS) for one in records))


async def waiting(spool: Spool) -> list[Record]:
    return [one for chunk in await spool.read(None, 100_000) for one in chunk.waiting]


async def drain(spool: Spool) -> None:
    while chunks := await spool.read(None, 1_000):
        await spool.settle([ChunkOutcome(chunk) for chunk in chunks])


async def put_until_full(spool: Spool) -> None:
    for _ in range(1_000):
        await put(spool, [record(os.urandom(100_000))])
