"""PostgreSQL of an older release than the packages': users' hosts choose theirs, from 14 on."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from db.migrate import migrate
from local.stack.machine.os_account import unprivileged
from local.stack.machine.ports import HOST, free_ports
from local.stack.machine.tool import run_tool
from tests.databases import empty_database
from tests.db.statements import statements
from tests.eventually import eventually

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
_SECONDS = 120.0


@pytest_asyncio.fixture
async def older(tmp_path: Path) -> AsyncIterator[str]:
    """The administrator's URL of a new database there."""
    if not _PROGRAMS:
        pytest.skip("no other PostgreSQL is here (Debian: postgresql)")
    programs, account, (port,) = _PROGRAMS[0].parent, unprivileged(), free_ports(1)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    account.own(data)
    code, said = await run_tool(
        [programs / "initdb", "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8",
         "--locale=C.UTF-8", "--no-sync"], seconds=_SECONDS, account=account,
    )  # fmt: skip
    assert code == 0, said
    settings = {"listen_addresses": HOST, "port": port, "unix_socket_directories": "", "fsync": "off"}
    chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = await asyncio.create_subprocess_exec(
        programs / "postgres", "-D", data, *chosen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        **account.as_popen(),
    )  # fmt: skip
    url = f"postgresql://postgres@{HOST}:{port}/postgres"
    try:
        await eventually(lambda: _answers(server, url))
        async with empty_database(url) as made:
            yield made
    finally:
        server.send_signal(signal.SIGINT)
        await server.wait()


async def test_an_older_server_takes_every_migration_and_understands_every_statement(older: str) -> None:
    await migrate(older)
    conn = await asyncpg.connect(older)
    found = {name: fault for name, sql in statements() if (fault := await _fault(conn, sql))}
    print("PostgreSQL", conn.get_server_version())
    await conn.close()
    assert found == {}


async def _fault(conn: asyncpg.Connection, sql: str) -> str | None:
    try:
        await conn.prepare(sql)
    except asyncpg.PostgresError as error:
        return str(error)
    return None


async def _answers(server: asyncio.subprocess.Process, url: str) -> bool:
    if server.returncode is not None:
        pytest.fail("PostgreSQL ended")
    try:
        await (await asyncpg.connect(url, timeout=5)).close()
    except (OSError, asyncpg.CannotConnectNowError):
        return False
    return True
