"""The release of before, this one and back again, process by process, beside traffic: `UPGRADE_FROM=REV` names the one
of before as git knows it, `.venv/bin/pytest -s tests/deploy/test_two_releases.py` rolls it."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.control.ledger.audit import audit
from services.kernel.cli import environment
from tests.brokers.scene import ready
from tests.chaos.installation import Installation
from tests.chaos.load import Load, playing
from tests.chaos.processes import Worker, started
from tests.chaos.processes import environment as told_to
from tests.chaos.recording import Part, Recording, attach, heard, rows
from tests.chaos.running import nothing_in_flight, run, sender, topics_of_its_own
from tests.databases import empty_database
from tests.programs.forked import ROOT

_REVISION = os.environ.get("UPGRADE_FROM", "")
_SERVICES = ("ingress", "conversations", "widget", "customers", "contacts", "control", "privacy")
_WEBHOOKS = 200
_PER_SECOND = 50.0
_BETWEEN = 20  # webhooks from one process to the next

pytestmark = pytest.mark.skipif(not _REVISION, reason="UPGRADE_FROM names no release of before")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Its sources."""
    sources = subprocess.run(["git", "archive", _REVISION], cwd=ROOT, capture_output=True, check=True).stdout
    tree = tmp_path / "before"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", tree], input=sources, check=True)
    return tree


async def test_a_release_is_rolled_in_and_back_beside_traffic_and_no_row_tells_of_it(
    installation: Installation, before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installation.settings.database_url is not None
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(topics_of_its_own(installation))
        url = await stack.enter_async_context(empty_database(installation.settings.database_url.get_secret_value()))
        here = installation.with_database(url, tmp_path / "data")
        await _migrate(here, before)
        with monkeypatch.context() as patch:
            patch.setattr(environment, "check_schema", _nothing)  # verbs of this release refuse that schema
            calm, *moved = [await attach(here.settings, number) for number in range(9)]
        workers = [run(here, name, instance=name if name != "ingress" else None) for name in _SERVICES]
        for worker in workers:
            worker.forked, worker.tree = False, before
        await stack.enter_async_context(started(*workers))
        for worker in workers:
            await ready(worker, worker.settings.http_port)
        client = await stack.enter_async_context(sender(workers[0]))

        recording = Recording(client, moved, heard(_WEBHOOKS))
        async with playing(recording, per_second=_PER_SECOND) as load:
            await load.comes_to(_BETWEEN)
            await _migrate(here, ROOT)
            for tree in (ROOT, before):
                await _roll(workers, tree, load)
            await load.finish()
        async with playing(Recording(client, [calm], heard(_WEBHOOKS)), per_second=_PER_SECOND) as calmly:
            await calmly.finish()
        await nothing_in_flight(here)
        seen, expected = await audit(here.settings), await rows(here, calm)
        found = [await rows(here, one) for one in moved if one.number in recording.played]

    assert (seen.clean, sum(line.dead for line in seen.lines)) == (True, 0)
    assert found == [expected] * len(recording.played)
    print(f"from {_REVISION} and back: {load.acknowledged.total()} webhooks, the rows of a calm run {len(found)} times")


async def _nothing(_pool: object) -> None:
    """No schema is refused."""


async def _migrate(here: Installation, tree: Path) -> None:
    """By that release's verb; whoever sends goes on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "migrate", cwd=tree, env=told_to(here.settings), stderr=PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def _roll(workers: list[Worker], tree: Path, load: Load[Part]) -> None:
    """One after the other, with webhooks between them."""
    for worker in workers:
        await load.comes_to(load.acknowledged.total() + _BETWEEN)
        assert await worker.stop() == 0, worker.told()
        worker.tree = tree
        await worker.start()
        await ready(worker, worker.settings.http_port)
