"""A session whose servers do not come at once: on a busy machine one refusal ended all tests, and nobody read why."""

import sys
from contextlib import AsyncExitStack

import pytest

from local.stack import Stack, Unavailable
from tests.session_start import begun


@pytest.mark.parametrize(("refusals", "comes"), [(0, True), (2, True), (3, False)])
async def test_a_start_that_fails_is_told_and_tried_again(
    refusals: int, comes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
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
            assert (await begun(begin, servers, worker="gw3")).kafka == "127.0.0.1:1"
        else:
            with pytest.raises(pytest.exit.Exception, match="gw3: no port is free"):
                await begun(begin, servers, worker="gw3")
        assert ended == refusals  # before the next one
    assert capsys.readouterr().err.count("gw3: no port is free") == refusals
