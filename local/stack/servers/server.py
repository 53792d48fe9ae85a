"""One server of the stack as a detached process: started, recognised again, waited for and ended.

The process inherits the lock on `NAME.lock` and so holds it for its whole life: two of them can never share a
directory, even if our notes about the first one are lost. `NAME.json` notes its pid together with the moment of its
birth, so that `end` never signals a stranger who got the same number later.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from local.stack.errors import Unavailable
from local.stack.machine.locks import lock, try_lock
from local.stack.machine.os_account import OsAccount

_LOCK_SECONDS = 5.0
_KILLED_SECONDS = 10.0
_POLL_SECONDS = 0.05
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# The shell leaves the server behind as nobody's child and says its pid; the log is the shell's stderr.
_DETACH = 'exec "$@" >&2 & echo $!'


@dataclass(frozen=True, slots=True)
class Note:
    """What `NAME.json` holds; the ports are kept for the next start."""

    pid: int
    born: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server by its name and the directory of the stack; holds nothing open."""

    name: str
    directory: Path
    stop_signal: signal.Signals

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def note(self) -> Note | None:
        """The last process started here, whether it still runs or not."""
        with suppress(FileNotFoundError):
            raw = json.loads(self._file("json").read_text())
            return Note(pid=raw["pid"], born=raw["born"], ports=tuple(raw["ports"]))
        return None

    def running(self) -> Note | None:
        note = self.note()
        return note if note and birth(note.pid) == note.born else None

    async def gone(self) -> None:
        """Wait for the end of a killed one, whose threads hold its ports a while. Raises Unavailable if it lives."""
        os.close(await self._hold())

    async def _hold(self) -> int:
        return await lock(self._file("lock"), seconds=_LOCK_SECONDS, otherwise=self._taken())

    async def launch(self, command: Sequence[str | Path], *, ports: tuple[int, ...], account: OsAccount) -> None:
        """Start the detached process and note it down; raises Unavailable when the directory is taken."""
        held = await self._hold()
        try:
            with self.log.open("ab") as log:
                shell = subprocess.run(  # noqa: ASYNC221 - ends at once, and no cancellation may come before the note
                    ["/bin/sh", "-c", _DETACH, "sh", *map(str, command)],
                    check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                    start_new_session=True, pass_fds=[held], **account.as_popen(),
                )  # fmt: skip
            pid = int(shell.stdout)
            self._write(Note(pid=pid, born=birth(pid) or "gone", ports=ports))
        finally:
            os.close(held)

    async def wait_until(self, ready: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
        """Wait until `ready` answers True; raises Unavailable with the log's last line if it ends or is late."""
        try:
            async with asyncio.timeout(seconds):
                while not await ready():
                    if not self.running():
                        raise Unavailable(f"{self.name} ended while starting: {self._last_line()}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as late:
            raise Unavailable(f"{self.name} was not ready within {seconds:.0f} s: {self._last_line()}") from late

    async def end(self, *, seconds: float = 20.0) -> bool:
        """Stop the process and wait until it is gone; kill it when it takes too long. False if none was running."""
        if not (note := self.running()):
            return False
        os.kill(note.pid, self.stop_signal)
        if not await self._gone(seconds) and self.running():
            os.kill(note.pid, signal.SIGKILL)
            await self._gone(_KILLED_SECONDS)
        return True

    async def _gone(self, seconds: float) -> bool:
        # A free lock says more than a dead pid: children of the server hold it too.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.running() or (held := try_lock(self._file("lock"))) is None:
                    await asyncio.sleep(_POLL_SECONDS)
                os.close(held)
                return True
        return False

    def _file(self, suffix: str) -> Path:
        return self.directory / f"{self.name}.{suffix}"

    def _write(self, note: Note) -> None:
        fresh = self._file("json.new")
        fresh.write_text(json.dumps(asdict(note)))
        fresh.replace(self._file("json"))

    def _taken(self) -> str:
        return (
            f"{self.directory} is in use by a {self.name} that this command did not start: "
            "end that process, or choose another directory with WOOTSTREAM_DATA_DIRECTORY"
        )

    def _last_line(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()[-30:] if line.strip()]
        if any("Address already in use" in line for line in lines):
            return f"another program took its port meanwhile; run the command again ({self.log})"
        return (
            f"{lines[-1] if lines else 'it said nothing'}; see {self.log}, then run the command again or `make clean`"
        )


def birth(pid: int) -> str | None:
    """When this process was born, as a text that no later process with the same pid can have; None if it is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None if _BOOT.exists() else _birth_without_proc(pid)
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{_BOOT.read_text().strip()}:{fields[18]}"


def _birth_without_proc(pid: int) -> str | None:
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return str(process.create_time())
    return None
