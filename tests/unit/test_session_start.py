"""A session whose servers do not come at once: on a busy machine one refusal ended all tests, and nobody read why."""

import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from local.stack import Stack, Unavailable
from local.stack.machine.ports import free_ports
from tests import session_start
from tests.eventually import PATIENCE_SECONDS
from tests.session_start import begun

_ROOT = Path(__file__).parents[2]
_NEEDS_KAFKA = "tests/services/kernel/kafka/test_topics.py"


@pytest.mark.parametrize(("refusals", "comes"), [(0, True), (2, True), (3, False)])
async def test_a_start_that_fails_is_tried_again(
    refusals: int, comes: bool, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(session_start, "tell", lambda _config, line: told.append(line))
    starts, ended = 0, 0

    def end() -> None:
        nonlocal ended
        ended += 1

    async def begin(servers: AsyncExitStack) -> Stack:
        nonlocal starts
        starts += 1
        servers.callback(end)
        if starts <= refusals:
            raise Unavailable("no port is free")
        return Stack("127.0.0.1:1", "postgresql://")

    async with AsyncExitStack() as servers:
        if comes:
            assert (await begun(begin, servers, pytestconfig, worker="gw3")).kafka == "127.0.0.1:1"
        else:
            with pytest.raises(pytest.exit.Exception, match="gw3: no port is free"):
                await begun(begin, servers, pytestconfig, worker="gw3")
        assert ended == refusals  # before the next one
    assert told == ["gw3: no port is free"] * refusals


def test_who_watches_reads_why_a_workers_servers_do_not_come(tmp_path: Path) -> None:
    """As CI shows it: what a worker writes to stderr pytest captures, and nobody sees it."""
    (nowhere,) = free_ports(1)
    watched = subprocess.run(
        [sys.executable, "-m", "pytest", "-n1", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/own", _NEEDS_KAFKA],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{nowhere}"},
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    why = f"gw0: no Kafka answers at KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{nowhere}"
    assert watched.stdout.count(why) == 3, watched.stdout
    assert watched.returncode == 2
