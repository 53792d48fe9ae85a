"""The operator's verbs as a person or a script calls them."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from typer.testing import CliRunner, Result

from db.pool import Pool
from services.cli import command_line


async def call(*arguments: str, given: bytes | None = None, environment: Mapping[str, str] | None = None) -> Result:
    """Run a verb in this process; what it raises is raised here."""
    result = await asyncio.to_thread(
        CliRunner().invoke, command_line(arguments[0]), arguments, input=given, env=environment
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def noted(admin: Pool, store: UUID | None) -> list[str]:
    """What the audit log has of this store, or of none, in its order."""
    async with admin.acquire() as conn:
        rows = await conn.fetch(
            "select action from wootstream.audit_log where organization_id is not distinct from $1 order by id", store
        )
    return [row["action"] for row in rows]


async def answer(*arguments: str, **more: Any) -> Any:
    """What a verb answers to `--json`."""
    return orjson.loads((await call(*arguments, "--json", **more)).stdout)
