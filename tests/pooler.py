"""A real PgBouncer in transaction mode before the session's PostgreSQL, with a login that may act as the services."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from local.stack.machine.os_account import unprivileged
from local.stack.machine.ports import HOST, free_ports, listens
from tests.eventually import eventually

_PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(_PROGRAM is None, reason="not installed: pgbouncer (Debian's package pgbouncer)")
# What it leaves out is Debian's default. Four connections to the server, so everybody gets everybody's. Fewer would
# not do: who works for all processes alone holds one for its lock (kernel/every.py), and there are two such works.
_SETTINGS = """\
[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 4
{more}
"""
IGNORING = (
    "ignore_startup_parameters = extra_float_digits,application_name,idle_in_transaction_session_timeout,lock_timeout,"
    "statement_timeout,tcp_keepalives_idle,jit,role,options,search_path"
)


@asynccontextmanager
async def pooled(url: str, folder: Path, more: str = "") -> AsyncIterator[str]:
    """The address that leads through the pooler to the database of `url`, an administrator's."""
    assert _PROGRAM
    server, (port,) = urlsplit(url), free_ports(1)
    login, password = f"shop_{secrets.token_hex(4)}", secrets.token_hex(8)
    folder.mkdir()
    (folder / "users.txt").write_text(f'"{login}" "{password}"\n')
    settings = folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(server=server, host=HOST, port=port, folder=folder, more=more))
    account = unprivileged()
    account.own(folder)
    admin = await asyncpg.connect(url, timeout=10)
    await admin.execute(f"create role {login} login password '{password}'")
    await admin.execute(f"grant wootstream_service, wootstream_ingress, wootstream_privacy, authenticated to {login}")
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            _PROGRAM, settings, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, **account.as_popen()
        )
    try:
        address = server._replace(netloc=f"{login}:{password}@{HOST}:{port}").geturl()
        await eventually(lambda: _serves(process, port, folder / "log"))
        yield address
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await admin.execute(f"drop role {login}")
        await admin.close()


async def _serves(process: asyncio.subprocess.Process, port: int, log: Path) -> bool:
    if process.returncode is not None:
        # Another session of pytest that begins takes away everybody's right to look into /tmp/pytest-of-root.
        pytest.fail(f"PgBouncer ended: {log.read_text()}")
    return await listens(port)
