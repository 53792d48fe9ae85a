"""A host as an operator has it: a checkout's deploy/ of its own, .env, and services that Compose's double runs."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.stack.machine.ports import free_ports
from local.stack.servers import postgres
from services.kernel.secrets import load_secrets
from tests.chaos.installation import Installation
from tests.deploy.compose_double import environment_of
from tests.eventually import PATIENCE_SECONDS

_ROOT = Path(__file__).parents[2]
_UP = (
    "postgres",
    "kafka",
    "nginx",
    "ingress-1",
    "ingress-2",
    "conversations",
    "widget",
    "customers",
    "contacts",
    "control",
)


@dataclass(frozen=True)
class Said:
    """What a program of deploy/ said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Host:
    """The folder that stands for the checkout on the host, and where the doors are."""

    folder: Path
    door: str

    async def deploy(self, name: str, *arguments: str) -> Said:
        """`deploy/NAME …`, as a person types it."""
        compose = f"{sys.executable} -m tests.deploy.compose_double {self.folder / 'state'}"
        environment = os.environ | {"WOOTSTREAM_COMPOSE": compose, "PYTHONPATH": str(_ROOT)}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            self.folder / "deploy" / name, *arguments, env=environment, stdout=pipe, stderr=pipe
        )
        out, err = await asyncio.wait_for(process.communicate(), 3 * PATIENCE_SECONDS)
        return Said(process.returncode or 0, out.decode().strip(), err.decode().strip())

    async def compose(self, *arguments: str) -> None:
        """What an operator asks of compose itself."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.deploy.compose_double", self.folder / "state", *arguments, cwd=_ROOT
        )
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0

    def fails_once(self, word: str) -> None:
        """The next call of compose with this word."""
        (self.folder / "state" / f"{word}.fails").touch()

    def calls(self) -> list[list[str]]:
        """What was asked of compose so far."""
        return [json.loads(line) for line in (self.folder / "state" / "calls").read_text().splitlines()]


def checkout(folder: Path) -> None:
    """What of a checkout the programs of deploy/ need."""
    shutil.copytree(_ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_ROOT / "pyproject.toml", folder)


@asynccontextmanager
async def host_of(
    installation: Installation, folder: Path, *, said: Mapping[str, str] | None = None
) -> AsyncIterator[Host]:
    """The doors in one process, everything else in another; both run when this begins. `said`: what these verbs say,
    in place of running anything of ours at all."""
    checkout(folder)
    settings, (door, rest) = installation.settings, free_ports(2)
    assert settings.database_url
    load_secrets(settings)  # makes the key where no other test did yet
    url = settings.database_url.get_secret_value()
    (folder / ".env").touch(mode=0o600)
    (folder / ".env").write_text(f"DATABASE_NAME={url.rpartition('/')[2]}\nWOOTSTREAM_VERSION=1.0\nPUBLIC_NAME=x\n")
    environment = environment_of(
        url,
        PATH=f"{postgres._programs()}:{os.environ['PATH']}",
        KAFKA_BOOTSTRAP_SERVERS=settings.kafka_bootstrap_servers or "",
        WOOTSTREAM_DATA_DIRECTORY=str(settings.data_directory),
        WOOTSTREAM_SESSION_TIMEOUT_SECONDS=str(settings.session_timeout_seconds),
        WOOTSTREAM_WEBHOOK_SKEW_SECONDS="86400",
    )
    services = {
        "ingress-1": {"runs": ["ingress"], "port": door},
        "conversations": {"runs": ["conversations", "widget", "customers", "contacts", "control"], "port": rest},
    }
    if said:
        services = {}
    (folder / "state").mkdir()
    state = {"environment": environment, "services": services, "up": _UP, "said": said or {}}
    (folder / "state" / "settings.json").write_text(json.dumps(state))
    host = Host(folder, f"http://127.0.0.1:{door}")
    (folder / "answers").write_text("ACME_EMAIL=ops@example.org\n")
    prepared = await host.deploy("setup", "--from", "answers")
    assert prepared.code == 0, prepared.err
    try:
        await host.compose("up", "--detach", *services)
        yield host
    finally:
        await host.compose("stop", *services)
