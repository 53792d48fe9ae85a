"""The two servers of one directory, started side by side; `addresses.json` tells others where they are."""

import asyncio
import json
import os
from collections.abc import Collection
from pathlib import Path

from local.stack.packages import jars
from local.stack.servers import kafka, postgres
from local.stack.servers.server import LocalServer

KAFKA, POSTGRES = "kafka", "postgres"
BOTH = frozenset({KAFKA, POSTGRES})
_SETTINGS = {KAFKA: "kafka_bootstrap_servers", POSTGRES: "database_url"}


def addresses(directory: Path) -> dict[str, str | None]:
    """Where each server is, None where it does not run."""
    return {KAFKA: kafka.address(directory), POSTGRES: postgres.address(directory)}


async def start_missing(
    directory: Path, parts: Collection[str], *, progress: jars.FetchProgress, more: str = ""
) -> dict[str, str]:
    """Start those of `parts` that do not run; if one fails or we are interrupted, none of the new ones stays.

    `more` properties of Kafka's win over ours.
    """
    found = {part: address for part, address in addresses(directory).items() if part in parts and address}
    missing = [part for part in parts if part not in found]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {part: group.create_task(_start(part, directory, progress, more)) for part in missing}
    except BaseExceptionGroup as failed:
        await end(missing, directory)
        raise failed.exceptions[0] from None
    except asyncio.CancelledError:
        await end(missing, directory)
        raise
    _publish(directory)
    return found | {part: task.result() for part, task in tasks.items()}


async def end(parts: Collection[str], directory: Path) -> bool:
    """Stop them together; False if none of them ran."""
    servers = _servers(directory)
    ended = await asyncio.gather(*(server.end() for part in parts for server in servers[part]))
    _publish(directory)
    return any(ended)


def _publish(directory: Path) -> None:
    """Write what runs, as settings of the services; they read this file (services/kernel/installation.py)."""
    servers, urls, how = _servers(directory), addresses(directory), {KAFKA: kafka.security(directory)}
    running = [
        {
            "pid": note.pid,
            "settings": {_SETTINGS[part]: urls[part], **how.get(part, {})},
        }
        for part in sorted(BOTH)
        if urls[part] and (note := servers[part][0].running())
    ]
    path = directory / "addresses.json"
    new = path.with_suffix(".new")
    with open(new, "w", opener=_for_us_alone) as file:
        json.dump(running, file)
    # Whoever reads sees the old addresses or the new ones, never half of a file.
    new.replace(path)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _servers(directory: Path) -> dict[str, tuple[LocalServer, ...]]:
    """The first of each is the server itself."""
    return {KAFKA: (kafka.server(directory),), POSTGRES: (postgres.server(directory), postgres.front(directory))}


async def _start(part: str, directory: Path, progress: jars.FetchProgress, more: str) -> str:
    if part == POSTGRES:
        return await postgres.start(directory)
    kafka.java_runtime()
    class_path = await jars.class_path(jars.cache(), progress=progress)
    return await kafka.start(directory, class_path=class_path, more=more)
