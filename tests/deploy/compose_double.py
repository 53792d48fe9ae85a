"""`docker compose` on the local stack, for what deploy/host asks: `python -m tests.deploy.compose_double STATE …`.

STATE is a folder: settings.json says where the servers are, which services run which of ours, and which verbs are only
said to have run, with what; calls has a line for
each call; a file WORD.fails makes the next call with that word fail. A service is a process of its own, whose id
lies in NAME.pid; those that settings.json does not name are up as soon as they are asked for.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil

from tests.eventually import eventually

_PROGRAM = str(Path(sys.executable).with_name("wootstream"))


class ComposeDouble:
    """One call of it."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._settings: dict[str, Any] = json.loads((state / "settings.json").read_text())

    def call(self, verb: str, *arguments: str) -> int:
        with (self._state / "calls").open("a") as calls:
            calls.write(json.dumps([verb, *arguments]) + "\n")
        for word in (verb, *arguments):
            fails = self._state / f"{word[:50].replace('/', '-')}.fails"
            if fails.exists():
                fails.unlink()
                print(f"{word} is told to fail", file=sys.stderr)
                return 1
        names = [one for one in arguments if not one.startswith("-")]
        if verb == "exec":
            return self._exec(*names[:1], *arguments[arguments.index(names[0]) + 1 :])
        if verb == "run":
            service = names[0]
            rest = arguments[arguments.index(service) + 1 :]
            return self._wootstream(*(rest if service == "verb" else (service,)))
        if verb == "stop":
            for name in names:
                asyncio.run(self._stop(name))
        elif verb in ("up", "restart"):
            for name in names:
                asyncio.run(self._up(name))
        elif verb == "ps":
            print("\n".join(name for name in self._settings["up"] if name in (names or self._settings["up"])))
        elif verb == "version":
            print("2.40.3")
        return 0

    def _exec(self, service: str, *command: str) -> int:
        if service == "nginx":
            return 0
        program, *rest = command
        if program == "wootstream":
            return self._wootstream(*rest)
        if program == "python":
            program = sys.executable
        return subprocess.run([program, *rest], env=os.environ | self._settings["environment"]).returncode

    def _wootstream(self, *arguments: str) -> int:
        said = self._settings["said"].get(arguments[0])
        if said is not None:
            print(said)
            return 0
        return subprocess.run([_PROGRAM, *arguments], env=os.environ | self._settings["environment"]).returncode

    async def _up(self, name: str) -> None:
        """Made anew, as after another image; back when it is ready."""
        await self._stop(name)
        service = self._settings["services"].get(name)
        if service is None:
            return
        environment = os.environ | self._settings["environment"] | {"WOOTSTREAM_HTTP_PORT": str(service["port"])}
        with (self._state / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                [_PROGRAM, "run", *service["runs"]], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        (self._state / f"{name}.pid").write_text(str(process.pid))
        await eventually(partial(_is_ready, f"http://127.0.0.1:{service['port']}/ready"))

    async def _stop(self, name: str) -> None:
        path = self._state / f"{name}.pid"
        if not path.exists():
            return
        pid = int(path.read_text())
        path.unlink()
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGTERM)
        await eventually(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_ready(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - an address of this test
            return bool(answer.status == 200)
    except OSError:
        return False


def environment_of(database_url: str, **more: str) -> dict[str, str]:
    """What a process of the installation is told, and PostgreSQL's own programs."""
    url = urlsplit(database_url)
    postgres = {
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
    }
    return {"DATABASE_URL": database_url, **postgres, **more}


if __name__ == "__main__":
    sys.exit(ComposeDouble(Path(sys.argv[1])).call(*sys.argv[2:]))
