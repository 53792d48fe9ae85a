"""The two servers of one directory, started side by side."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from demo.stack import jars, kafka, postgres

KAFKA, POSTGRES = "kafka", "postgres"
BOTH = frozenset({KAFKA, POSTGRES})


def addresses(directory: Path) -> dict[str, str | None]:
    """Where each server is, None where it does not run."""
    return {KAFKA: kafka.address(directory), POSTGRES: postgres.address(directory)}


async def start_missing(directory: Path, parts: Collection[str], *, progress: jars.Progress) -> dict[str, str]:
    """Start those of `parts` that do not run; if one fails or we are interrupted, none of the new ones stays."""
    found = {part: address for part, address in addresses(directory).items() if part in parts and address}
    missing = [part for part in parts if part not in found]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {part: group.create_task(_start(part, directory, progress)) for part in missing}
    except BaseExceptionGroup as failed:
        await end(missing, directory)
        raise failed.exceptions[0] from None
    except asyncio.CancelledError:
        await end(missing, directory)
        raise
    return found | {part: task.result() for part, task in tasks.items()}


async def end(parts: Collection[str], directory: Path) -> bool:
    """Stop them together; False if none of them ran."""
    servers = {KAFKA: kafka.server(directory), POSTGRES: postgres.server(directory)}
    return any(await asyncio.gather(*(servers[part].end() for part in parts)))


async def _start(part: str, directory: Path, progress: jars.Progress) -> str:
    if part == POSTGRES:
        return await postgres.start(directory)
    kafka.java_runtime()
    return await kafka.start(directory, class_path=await jars.class_path(jars.cache(), progress=progress))
