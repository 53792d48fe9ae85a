"""A shop's past read in: lines a second of `wootstream import customers`, and its memory with ten times as many.

The verb is the process that an operator starts, on a file of customers that this writes; into Kafka, each line judged
by the consumer's rule. Memory is the most that the process held.
`python -m benchmarks.contacts.past_import --lines 1000000 --json` ends with one object.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from benchmarks._command import command
from benchmarks._stack import open_stack
from db.migrate import migrate
from local.process_environment import environment_of
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from tests.services.attached import attach

_TEN = 10
_HEADER = "customer_id,email,phone,name,preferred_language,marketing_consent,registered_at\n"
# The kernel counts a child's memory in this process's name only together: each verb tells of itself.
_PROGRAM = """
import resource, sys
from services.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


async def measure(lines: int, rounds: int) -> dict[str, Any]:
    async with open_stack() as (stack, folder):
        await migrate(stack.database_url)
        ours = {"data_directory": folder, "http_port": 0}
        settings = Settings.model_validate(stack.settings | ours)
        await ensure_topics(settings)
        async with asyncpg.create_pool(stack.database_url) as admin:
            await attach(admin, slug="past")
        measured = [await _import(settings, folder / f"{count}.csv", count) for count in (lines // _TEN, lines)]
    (_, small), (rate, large) = measured
    print(f"{lines:,} lines: {rate:,.0f} a second, {large:.0f} MiB; a tenth of them: {small:.0f} MiB")
    return {
        "name": "past_import",
        "ratios": {"memory_grown": round(large / small, 2)},
        "figures": {"lines": lines, "lines_per_second": rate, "megabytes": round(large)},
    }


async def _import(settings: Settings, file: Path, lines: int) -> tuple[float, float]:
    """Lines a second, and the most MiB of the process."""
    _write(file, lines)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, "import", "customers", "past", str(file), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | environment_of(settings),
    )  # fmt: skip
    out, err = await process.communicate()
    file.unlink()
    if process.returncode:
        sys.exit(f"import ends with {process.returncode}: {err.decode()[-500:]}")
    done = orjson.loads(out)
    if done["lines"] != lines or done["refused"]:
        sys.exit(f"of {lines} lines {done}")
    return done["lines_per_second"], int(err.split()[-1]) / 1024


def _write(file: Path, lines: int) -> None:
    with file.open("w") as out:
        out.write(_HEADER)
        for number in range(lines):
            out.write(f"c{number},c{number}@x.example,+3161{number:08},Jan {number},nl,true,2024-01-15T10:00:00Z\n")


if __name__ == "__main__":
    command(measure, "customers read in from a file", amount="lines", default=1_000_000, rounds=1)
