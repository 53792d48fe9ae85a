"""The built wheel with its dependencies alone, in an empty environment, run from another directory than this one."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import orjson
import pytest

from db.migrate import files
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.databases import empty_database
from tests.eventually import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.usefixtures("topics")
_ROOT = Path(__file__).parents[2]
_UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs that holds what the wheel brings and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist")
    (wheel,) = (folder / "dist").glob("*.whl")
    _run(_UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    programs = folder / "venv" / "bin"
    install = (_UV, "pip", "install", "--quiet", "--python", programs / "python", "-c", _ROOT / "requirements.lock")
    if _try(*install, "--offline", wheel).returncode and (failed := _try(*install, wheel)).returncode:
        pytest.skip(f"the wheel's dependencies are neither in uv's cache nor on a network: {failed.stderr.strip()}")
    # Else each of the processes that start side by side would compile the same modules.
    _run(programs / "wootstream", "--help")
    return programs


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory with a folder of the same name as ours has; as /usr has."""
    (tmp_path / "local").mkdir()
    return tmp_path


def _try(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def _run(*command: str | Path) -> None:
    done = _try(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def _environment(settings: Settings, folder: Path, **more: str) -> dict[str, str]:
    """What an operator gives; nothing of ours, such as PYTHONPATH."""
    assert settings.database_url
    load_secrets(settings)  # makes the key where no other test did yet
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers or "",
        "WOOTSTREAM_INSTALLATION_KEY_FILE": str(settings.data_directory / "installation.key"),
        "WOOTSTREAM_HTTP_PORT": "0",
        **more,
    }


async def _verb(command: tuple[str | Path, ...], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def _serving(program: Path, folder: Path, environment: dict[str, str], *names: str) -> AsyncIterator[str]:
    """`wootstream run`, its address; at the end SIGTERM, which it obeys with 0."""
    log = folder / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(program, "run", *names, cwd=folder, env=environment, stderr=file)
    try:
        yield await eventually(partial(_address, log, lambda: process.returncode))
    finally:
        if process.returncode is None:
            process.terminate()
    assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0, log.read_text()


def _address(log: Path, ended: Callable[[], int | None]) -> str:
    if ended() is not None:
        pytest.fail(log.read_text())
    lines = [orjson.loads(line) for line in log.read_bytes().splitlines() if line.startswith(b"{")]
    addresses = [str(line["address"]) for line in lines if line["event"] == "process_serves"]
    assert addresses, "it does not serve yet"
    return addresses[0]


async def _is_ready(address: str) -> bool:
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        return (await client.get("/ready")).status_code == 200


async def test_verbs_of_the_wheel_work_elsewhere(installed: Path, elsewhere: Path, settings: Settings) -> None:
    assert settings.database_url
    async with empty_database(settings.database_url.get_secret_value()) as url:
        environment = _environment(settings, elsewhere, DATABASE_URL=url)
        verbs = ("--help", "settings", "openapi", "migrate", "topics")
        work = [_verb((installed / "wootstream", verb), elsewhere, environment) for verb in verbs]
        answers = dict(zip(verbs, await asyncio.gather(*work), strict=True))

    assert {verb: code for verb, (code, _, _) in answers.items()} == dict.fromkeys(verbs, 0), answers
    assert answers["migrate"][1].splitlines() == [f"applied {path.name}" for path in files()[1:]]
    assert json.loads(answers["openapi"][1])["paths"]
    assert "replay" not in answers["--help"][1]


@pytest.mark.parametrize("names", [(), ("ingress",)], ids=["everything", "the ingress alone"])
async def test_services_of_the_wheel_serve_and_stop(
    installed: Path, elsewhere: Path, settings: Settings, names: tuple[str, ...]
) -> None:
    async with _serving(installed / "wootstream", elsewhere, _environment(settings, elsewhere), *names) as address:
        await eventually(partial(_is_ready, address))


async def test_what_only_a_checkout_has_says_so(installed: Path, elsewhere: Path, settings: Settings) -> None:
    as_module = (installed / "python", "-m", "services.cli")  # looks into the directory where it stands
    for command in (("demo", "--for", "3"), ("local", "start")):
        answer = await _verb((*as_module, *command), elsewhere, _environment(settings, elsewhere))
        assert answer[:2] == (2, "")
        assert "in a checkout" in answer[2]
        assert len(answer[2].splitlines()) == 1
