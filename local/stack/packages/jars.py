"""Kafka's jars: fetched once into a cache of this user, each held against the list in the repo at every start.

`jars.sha256` decides what may run. A jar that differs is refused, never replaced in silence.
"""

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from local.stack.errors import Unavailable
from local.stack.machine.locks import locked
from local.stack.machine.tool import run_tool

FetchProgress = Callable[[int, int], None]

_LIST = Path(__file__).with_name("jars.sha256")
_FETCH_SECONDS = 600.0
_TRIES = 3
_POLL_SECONDS = 0.3


def listed() -> dict[str, str]:
    """File name → SHA-256 of every jar that Kafka needs."""
    pairs = (line.split() for line in _LIST.read_text().splitlines())
    return {name: digest for digest, name in pairs}


def cache() -> Path:
    """Where the jars are kept: beside other caches of this user, so that every checkout shares them."""
    import platformdirs

    return platformdirs.user_cache_path("wootstream") / f"kafka-{_version()}"


async def class_path(folder: Path, *, progress: FetchProgress) -> str:
    """Kafka's class path, sorted; fetches what is missing. Raises Unavailable without network or for a foreign jar."""
    if await asyncio.to_thread(_missing, folder):
        folder.mkdir(parents=True, exist_ok=True)
        async with locked(
            folder / "lock", seconds=_FETCH_SECONDS, otherwise="another start still fetches Kafka; try again"
        ):
            if _missing(folder):
                await _fetch(folder, progress=progress)
        if still := await asyncio.to_thread(_missing, folder):
            raise Unavailable(f"Kafka's jars came without {', '.join(still)}: delete {folder} and start again")
    return os.pathsep.join(str(folder / name) for name in sorted(listed()))


def _missing(folder: Path) -> list[str]:
    """Names of the jars that are not there; raises Unavailable if one is there with other bytes."""
    missing = []
    for name, digest in listed().items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except FileNotFoundError:
            missing.append(name)
            continue
        if found != digest:
            raise Unavailable(
                f"{folder / name} is not the jar we know (SHA-256 {found[:12]}…): delete it and start again"
            )
    return missing


async def _fetch(folder: Path, *, progress: FetchProgress) -> None:
    work = folder / "fetching"
    env = {**os.environ, "M2_REPO": str(work / "repository"), "JGO_CACHE_DIR": str(work / "jgo")}
    command: list[str | Path] = [sys.executable, "-m", "local.stack.packages.fetch", folder]
    watch = asyncio.create_task(_watch(work / "repository", progress))
    try:
        for _ in range(_TRIES):  # what one brought, the next one finds
            code, output = await run_tool(command, seconds=_FETCH_SECONDS, env=env)
            if not code:
                return
    except Unavailable as late:
        raise Unavailable(_no_network("it took too long")) from late
    finally:
        watch.cancel()
        shutil.rmtree(work, ignore_errors=True)
    raise Unavailable(_no_network(output.splitlines()[-1][:200] if output else f"exit code {code}"))


async def _watch(repository: Path, progress: FetchProgress) -> None:
    total = len(listed())
    while True:
        # The tool tells nothing while it works; what lies in its folder does.
        progress(min(total, sum(1 for _ in repository.rglob("*.jar"))), total)
        await asyncio.sleep(_POLL_SECONDS)


def _no_network(reason: str) -> str:
    return (
        f"Kafka's jars could not be fetched from Maven Central ({reason}): connect this machine to the network for "
        "the first start, or set KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL to servers of your own"
    )


def _version() -> str:
    from local.stack.packages.fetch import KAFKA

    return KAFKA.rpartition(":")[2]
