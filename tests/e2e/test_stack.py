"""The local stack as a person and as a script meet it.

What leaves it running is tried on one stack, started by whoever comes first; the others have a stack of their own.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiokafka
import asyncpg
import psutil
import pytest
import pytest_asyncio

from local import stack
from local.stack.embedded import borrowed
from local.stack.machine.locks import try_lock
from local.stack.machine.ports import free_ports
from local.stack.machine.tool import run_tool
from local.stack.packages import jars
from local.stack.servers import kafka, postgres
from local.stack.servers.server import Note, birth
from tests.eventually import PATIENCE_SECONDS, eventually

_RESOLVE_IN_DOCKER = """
import asyncio, pathlib, sys
from local.stack import resolve
asyncio.run(resolve(pathlib.Path(sys.argv[1]), kind="docker").__aenter__())
"""


on_the_standing_stack = pytest.mark.xdist_group("the standing stack")


@asynccontextmanager
async def _place() -> AsyncIterator[Path]:
    """A directory for one stack, which is stopped whatever was done. Not below pytest's own directory: each session
    that starts closes that to other users again, and PostgreSQL, which root may not run, could not come back there."""
    with tempfile.TemporaryDirectory(prefix="wootstream-") as folder:
        yield Path(folder) / "stack"
        await stack.stop(Path(folder) / "stack")


@pytest_asyncio.fixture
async def directory() -> AsyncIterator[Path]:
    """Of this test's own stack."""
    async with _place() as place:
        yield place


@pytest_asyncio.fixture(scope="module")
async def standing() -> AsyncIterator[Path]:
    """Of the stack that each test leaves running."""
    async with _place() as place:
        yield place


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every living process whose command line or working directory is in this directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(directory) in part for part in (*process.cmdline(), process.cwd())):
                found.append(process)
        except psutil.Error:
            continue
    return found


def local(verb: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run `wootstream local VERB --json` as another program would."""
    program = "from local.stack.cli import app; app()"
    return subprocess.run(
        [sys.executable, "-c", program, verb, "--json"],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        env={**os.environ, "WOOTSTREAM_DATA_DIRECTORY": str(data)},
    )  # fmt: skip


@on_the_standing_stack
async def test_started_stack_keeps_a_record_and_a_row(standing: Path) -> None:
    running = await stack.start(standing)

    conn = await asyncpg.connect(running.database_url)
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=running.kafka)
    await producer.start()
    try:
        assert await conn.fetchval("select current_setting('fsync') || current_setting('synchronous_commit')") == "onon"
        await conn.execute("create table kept (id int)")
        assert (await producer.client.fetch_all_metadata()).brokers()
    finally:
        await producer.stop()
        await conn.close()


@on_the_standing_stack
async def test_second_start_answers_the_same_and_starts_nothing(standing: Path) -> None:
    first = await stack.start(standing)
    before = {process.pid for process in processes_of(standing)}

    assert await stack.start(standing) == first
    assert {one.pid for one in processes_of(standing) if one.name() != "postgres"} <= before


async def test_two_starts_at_once_make_one_stack(directory: Path) -> None:
    one, other = await asyncio.gather(stack.start(directory), stack.start(directory))

    assert one == other
    assert len([process for process in processes_of(directory) if process.name() == "java"]) == 1


@on_the_standing_stack
async def test_stop_leaves_no_process_and_start_finds_the_data_again(standing: Path) -> None:
    running = await stack.start(standing)
    conn = await asyncpg.connect(running.database_url)
    await conn.execute("create table found_again (id int)")
    await conn.close()

    assert await stack.stop(standing)
    assert processes_of(standing) == []
    again = await stack.start(standing)
    conn = await asyncpg.connect(again.database_url)
    try:
        assert await conn.fetchval("select count(*) from found_again") == 0
    finally:
        await conn.close()


@on_the_standing_stack
async def test_killed_kafka_comes_back_at_the_same_address(standing: Path) -> None:
    running = await stack.start(standing)
    note = kafka.server(standing).running()
    assert note is not None

    os.kill(note.pid, signal.SIGKILL)
    await eventually(lambda: stack.status(standing).kafka is None)

    assert stack.status(standing).database_url == running.database_url
    assert await stack.start(standing) == running


@on_the_standing_stack
async def test_killed_postgres_comes_back_at_the_same_address(standing: Path) -> None:
    running = await stack.start(standing)
    note = postgres.server(standing).running()
    assert note is not None

    os.kill(note.pid, signal.SIGKILL)
    await eventually(lambda: stack.status(standing).database_url is None)

    assert await stack.start(standing) == running


@on_the_standing_stack
async def test_taken_ports_are_replaced_on_the_formatted_directory(standing: Path) -> None:
    first = await stack.start(standing)
    await stack.stop(standing)
    ports = [kafka.server(standing).note(), postgres.server(standing).note()]
    squatters = [await asyncio.start_server(print, "127.0.0.1", port) for note in ports if note for port in note.ports]
    try:
        second = await stack.start(standing)
    finally:
        for squatter in squatters:
            squatter.close()

    assert second.kafka != first.kafka
    assert second.database_url != first.database_url


async def test_stop_never_signals_a_stranger_with_the_old_pid(directory: Path) -> None:
    directory.mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:  # noqa: ASYNC220 - never waited for
        note = Note(pid=stranger.pid, born="an earlier life", ports=(1, 2))
        (directory / "kafka.json").write_text(json.dumps({"pid": note.pid, "born": note.born, "ports": note.ports}))
        try:
            assert not await stack.stop(directory)
            assert birth(stranger.pid) is not None
        finally:
            stranger.kill()


async def test_last_borrower_stops_the_stack(directory: Path) -> None:
    async with borrowed(directory, parts=["postgres"]):
        async with borrowed(directory, parts=["postgres"]):
            pass
        assert stack.status(directory).database_url is not None

    assert processes_of(directory) == []


@on_the_standing_stack
async def test_borrowed_stack_that_was_started_to_stay_stays(standing: Path) -> None:
    await stack.start(standing)

    async with borrowed(standing):
        pass

    assert stack.status(standing).running


async def test_interrupted_start_leaves_no_process(directory: Path) -> None:
    starting = asyncio.create_task(stack.start(directory))
    await eventually(lambda: bool(processes_of(directory)))

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    await eventually(lambda: processes_of(directory) == [])  # killed children of initdb may still be on their way out


async def test_directory_held_by_another_process_is_refused_with_the_cure(directory: Path) -> None:
    (directory).mkdir()
    held = try_lock(directory / "postgres.lock")
    assert held is not None
    try:
        refused = await asyncio.to_thread(local, "start", directory.parent)
    finally:
        os.close(held)

    assert refused.returncode == 2
    assert "is in use by a postgres" in refused.stderr
    assert "WOOTSTREAM_DATA_DIRECTORY" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert processes_of(directory.parent) == []


async def test_database_of_another_release_is_refused_with_the_cure(directory: Path) -> None:
    (directory / "postgres").mkdir(parents=True)
    (directory / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(stack.Unavailable, match=r"PostgreSQL 16, this stack needs 18.*make clean"):
        await stack.start(directory)


async def test_java_does_without_a_class_cache_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "classes.aot").write_bytes(bytes(10_000))
    monkeypatch.setattr(kafka, "class_cache", lambda: tmp_path / "classes.aot")
    java = kafka.java_command(await jars.class_path(jars.cache(), progress=lambda *_: None))

    code, said = await run_tool([*java, "kafka.tools.StorageTool", "random-uuid"], seconds=PATIENCE_SECONDS)

    assert f"-XX:AOTCache={tmp_path}/classes.aot" in java
    assert code == 0, said


async def test_tampered_jar_is_refused_with_a_sentence(tmp_path: Path) -> None:
    name = "kafka-clients-4.3.0.jar"
    await jars.class_path(jars.cache(), progress=lambda *_: None)
    for listed in jars.listed():
        (tmp_path / listed).symlink_to(jars.cache() / listed)
    (tmp_path / name).unlink()
    shutil.copyfile(jars.cache() / name, tmp_path / name)
    with (tmp_path / name).open("ab") as jar:
        jar.write(b"\0")

    with pytest.raises(stack.Unavailable, match=rf"{name} is not the jar we know .* delete it and start again"):
        await jars.class_path(tmp_path, progress=lambda *_: None)


async def test_a_fetch_that_breaks_off_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await jars.class_path(jars.cache(), progress=lambda *_: None)
    tries = 0

    async def breaks_off_first(*_command: object, **_how: object) -> tuple[int, str]:
        nonlocal tries
        tries += 1
        for jar in jars.listed() if tries == 3 else ():
            (tmp_path / jar).symlink_to(jars.cache() / jar)
        return int(tries < 3), "ReadTimeout: the registry went away"

    monkeypatch.setattr(jars, "run_tool", breaks_off_first)

    assert (await jars.class_path(tmp_path, progress=lambda *_: None)).startswith(str(tmp_path))


async def test_first_start_without_network_says_what_cures_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere,) = free_ports(1)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{nowhere}")

    with pytest.raises(stack.Unavailable, match=r"could not be fetched .* connect this machine to the network"):
        await jars.class_path(tmp_path, progress=lambda *_: None)

    assert list(tmp_path.glob("*.jar")) == []


async def test_docker_that_does_not_run_is_said_with_the_cure(tmp_path: Path) -> None:
    # A process of its own: Docker's client leaves the refused socket open.
    refused = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _RESOLVE_IN_DOCKER, str(tmp_path)],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/absent.sock"},
    )  # fmt: skip

    assert "Unavailable: STACK=docker, but Docker runs no container" in refused.stderr.splitlines()[-1]
    assert refused.stderr.strip().endswith("start it, or unset STACK")


async def test_given_kafka_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    (nowhere,) = free_ports(1)

    with pytest.raises(stack.Unavailable, match=r"no Kafka answers at KAFKA_BOOTSTRAP_SERVERS=127\.0\.0\.1"):
        async with stack.resolve(tmp_path, kafka_bootstrap_servers=f"127.0.0.1:{nowhere}"):
            pass


@on_the_standing_stack
async def test_given_kafka_that_hesitates_is_asked_again(
    standing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, note, asked, heard = await stack.start(standing), kafka.server(standing).running(), kafka.answers, []
    assert note

    async def busy_at_first(bootstrap: str) -> bool:
        try:
            heard.append(await asked(bootstrap))
        finally:
            os.kill(note.pid, signal.SIGCONT)
        return heard[-1]

    monkeypatch.setattr(kafka, "answers", busy_at_first)
    os.kill(note.pid, signal.SIGSTOP)
    async with stack.resolve(tmp_path, kafka_bootstrap_servers=running.kafka, database_url=running.database_url):
        assert (heard[0], heard[-1]) == (False, True)


async def test_command_line_starts_reports_and_stops(directory: Path) -> None:
    try:
        started = await asyncio.to_thread(local, "start", directory.parent)
        assert started.returncode == 0, started.stderr
        answer = json.loads(started.stdout.splitlines()[-1])
        assert set(answer) == {"kafka", "database_url", "security"}
        reported = await asyncio.to_thread(local, "status", directory.parent)
        del answer["security"]
        assert (reported.returncode, json.loads(reported.stdout)) == (0, answer)
    finally:
        stopped = await asyncio.to_thread(local, "stop", directory.parent)

    assert json.loads(stopped.stdout) == {"stopped": True}
    assert processes_of(directory.parent) == []
    assert (await asyncio.to_thread(local, "status", directory.parent)).returncode == 1
