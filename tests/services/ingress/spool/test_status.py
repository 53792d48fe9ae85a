"""`wootstream spool status` as a person and a script ask it, beside the process that owns the spool."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.ingress.spool.cli import app
from services.ingress.spool.shelf import ChunkOutcome
from services.ingress.spool.spool import Spool
from services.kernel import Refusal
from tests.services.ingress.spool.shelf_bench import opened, put, record

_WATCH = ("status", "--seconds", "0.3")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool's place in an installation of this test."""
    monkeypatch.setenv("WOOTSTREAM_DATA_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("WOOTSTREAM_SPOOL_BYTES", str(100 * 1024**2))
    return tmp_path / "spool"


async def ask(*arguments: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    if result.exception:
        raise result.exception
    return result.stdout


async def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await ask(*_WATCH, "--json"))
    return found


async def settle_some(spool: Spool, count: int) -> None:
    for chunk in (await spool.read(None, 1_000))[:count]:
        await spool.settle([ChunkOutcome(chunk)])
        await asyncio.sleep(0)


async def test_status_counts_what_waits_and_reckons_how_long_there_is_room(directory: Path) -> None:
    async with opened(directory) as spool:
        await put(spool, [record(os.urandom(100_000)) for _ in range(50)])

        found = await status()

    assert (found["files"], found["records"], found["refused"]) == (1, 50, 0)
    assert 5_000_000 < found["used_bytes"] < found["limit_bytes"] == 100 * 1024**2
    room = found["limit_bytes"] - found["used_bytes"]
    assert found["hours_left"] == pytest.approx(room / found["grows_bytes_per_second"] / 3600)
    assert found["drained_in_seconds"] is None


async def test_status_of_a_spool_that_drains_reckons_when_it_is_empty(directory: Path) -> None:
    async with opened(directory) as spool:
        await put(spool, [record(os.urandom(200_000)) for _ in range(20)])

        asking = asyncio.create_task(status())
        while not asking.done():
            await settle_some(spool, 1 if spool.records > 5 else 0)
            await put(spool, [record()])
            await asyncio.sleep(0.02)
        found = asking.result()

    assert found["drains_records_per_second"] > 0
    assert found["drained_in_seconds"] == pytest.approx(found["records"] / found["drains_records_per_second"])
    assert found["hours_left"] is None


async def test_status_for_people_names_records_room_and_the_missing_drain(directory: Path) -> None:
    async with opened(directory) as spool:
        await put(spool, [record()])

    shown = await ask(*_WATCH)
    assert "records waiting  1" in shown
    assert "of 105 MB" in shown
    assert "not now: Kafka is away, or no ingress runs here" in shown


async def test_status_where_no_ingress_ran_says_so(directory: Path) -> None:
    with pytest.raises(Refusal, match="there is no spool in"):
        await ask(*_WATCH)
