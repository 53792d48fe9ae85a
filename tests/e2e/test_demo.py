"""`wootstream demo` and `replay` as a newcomer types them, on a stack of the test's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack.servers import kafka
from services.ingress.spool.status import records_in
from tests.e2e.test_stack import processes_of
from tests.eventually import eventually

_PATIENCE_SECONDS = 120


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory of its own; whatever a failed test left in it is ended."""
    yield tmp_path
    for process in processes_of(tmp_path):
        process.kill()


def demo(data: Path, *options: str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "services.cli", "demo", *options]
    environment = os.environ | {"WOOTSTREAM_DATA_DIRECTORY": str(data)} | more
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


async def test_demo_ends_with_the_stores_and_a_clean_audit_and_leaves_no_process(data: Path) -> None:
    running = demo(data, "--for", "3")
    told, said = running.communicate(timeout=_PATIENCE_SECONDS)

    assert running.returncode == 0, told + said
    assert told.splitlines()[-1] == "clean: 0 missing, 0 in flight"
    assert {line.split()[0] for line in told.splitlines()[1:4]} == {"nl", "en", "de"}
    assert processes_of(data) == []


async def test_interrupted_demo_drains_what_it_sent_also_from_spools_and_tells_it_also_over_tls(data: Path) -> None:
    running = demo(data, "--for", "0", STACK_TLS="1")
    assert running.stderr is not None
    while not running.stderr.readline().startswith("sending"):
        assert running.poll() is None
    kafka_node = kafka.server(data / "stack-tls").running()
    assert kafka_node is not None
    os.kill(kafka_node.pid, signal.SIGSTOP)
    await eventually(lambda: records_in(data / "spool") > 0, seconds=_PATIENCE_SECONDS)
    running.send_signal(signal.SIGINT)
    os.kill(kafka_node.pid, signal.SIGCONT)
    told, said = running.communicate(timeout=_PATIENCE_SECONDS)

    assert running.returncode == 0, told + said
    assert told.splitlines()[-1] == "clean: 0 missing, 0 in flight"
    assert (data / "stack-tls" / "tls" / "ca.pem").exists()
    assert processes_of(data) == []


async def test_demo_interrupted_while_it_starts_leaves_no_process(data: Path) -> None:
    running = demo(data)
    await eventually(lambda: (data / "stack" / "kafka.json").exists(), seconds=_PATIENCE_SECONDS)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=_PATIENCE_SECONDS)

    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert processes_of(data) == []
