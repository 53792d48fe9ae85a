"""The installation as its metrics tell it, from a real Kafka, a real PostgreSQL and a certificate that is shown."""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from local.stack.servers import tls
from schemas import topics
from services.control.app import add_to
from services.control.inspection.certificate import certificate_end
from services.kernel import Process
from tests.eventually import eventually
from tests.kernel_bench import Bench
from tests.services.control.dead_letters.test_letters import poison, set_aside
from tests.services.control.ledger.test_audit import delete_before, send


@asynccontextmanager
async def looking(bench: Bench, **settings: object) -> AsyncIterator[Process]:
    """A process with the verbs and the inspection, and nothing else."""
    process = Process(bench.settings.model_copy(update={"http_port": 0, **settings}))
    add_to(process)
    _BEGAN[id(process)] = seen(process, "inspected_timestamp_seconds", what="audit") or math.nan
    serving = asyncio.create_task(process.serve())
    yield process
    process.stopping.set()
    assert await serving == 0, process.failure


_BEGAN: dict[int, float] = {}  # what each process says of a look before it looked
_SOUND = {
    "migrations_pending": 0,
    "row_security_faults": 1,  # the table that the bench's own consumer writes, which is no store's
    "audit_clean": 1,
    "due_people": 0,
    "due_overdue_seconds": 0,
}


def seen(process: Process, name: str, **labels: str) -> float | None:
    return process.registry.get_sample_value(f"wootstream_{name}", labels)


async def looked_at(process: Process, *names: str) -> None:
    await eventually(lambda: all(has_looked(process, name) for name in names))


def has_looked(process: Process, name: str) -> bool:
    return (seen(process, "inspected_timestamp_seconds", what=name) or 0) > _BEGAN[id(process)] + 0.001


async def test_a_sound_installation_says_so_and_a_dead_letter_waits(bench: Bench) -> None:
    await set_aside(bench, poison(bench))

    async with looking(bench) as process:
        await looked_at(process, "database", "people", "topics", "audit", "certificate")
        found = {name: seen(process, name) for name in _SOUND}
        waiting = sum(
            sample.value
            for metric in process.registry.collect()
            if metric.name == "wootstream_dead_letters_waiting"
            for sample in metric.samples
        )

    assert found == _SOUND
    assert waiting == 1
    assert (
        seen(
            process,
            "widget_partitions_until_timestamp_seconds",
        )
        is not None
    )
    assert seen(process, "audit_found", what="missing") == 0


async def test_a_database_that_lacks_a_migration_is_told_of(bench: Bench) -> None:
    await bench.admin.execute("delete from wootstream.migrations where name like '0026%'")
    async with looking(bench) as process:
        await looked_at(process, "database")
        assert seen(process, "migrations_pending") == 1


async def test_how_far_back_a_topic_reaches_is_told_once_something_was_taken_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ALL", (bench.topic,))
    partition = await send(bench, *range(5), at=time.time() - 1_000)
    for taken in (0, 3):
        await delete_before(bench, partition, taken)
        async with looking(bench) as process:
            await looked_at(process, "retention")
            kept = seen(process, "topic_kept_seconds", topic=bench.topic.name)
            assert kept is None if taken == 0 else kept is not None and kept >= 1_000


async def test_what_cannot_be_looked_at_is_a_remark_and_no_end(bench: Bench) -> None:
    async with looking(bench, kafka_bootstrap_servers="127.0.0.1:1") as process:
        await looked_at(process, "database")
        assert math.isnan(seen(process, "audit_clean") or 0)
        # The alert counts from the beginning of a process that never got to look.
        assert not has_looked(process, "audit")
        assert seen(process, "inspected_timestamp_seconds", what="audit") is not None
        assert not process.stopping.is_set()


async def test_the_end_of_a_certificate_is_seen_whoever_signed_it(tmp_path: Path) -> None:
    made = tls.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.server)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        end = await certificate_end(f"https://127.0.0.1:{port}/")

    assert end == x509.load_pem_x509_certificate(made.server.read_bytes()).not_valid_after_utc
    assert await certificate_end("http://shop.example") is None
    with pytest.raises(ConnectionRefusedError):
        await certificate_end("https://127.0.0.1:1/")
