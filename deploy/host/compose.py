"""Docker Compose, and what .env says to it: the only way in which these programs reach the system."""

from __future__ import annotations  # Python 3.9, as older distributions have it

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

DOORS = ("ingress-1", "ingress-2")
# What moves rows; the doors go on without the database.
WORKERS = ("conversations", "widget", "customers", "contacts", "control")
_ENV = Path(".env")
_TOLD_LINES = 5
_LOOK_AGAIN_SECONDS = 2.0


class CannotDo(Exception):
    """This cannot be done: one sentence, with what cures it."""


def say(text: str) -> None:
    """What happens, for the person who waits; results go to standard output alone."""
    print(text, file=sys.stderr, flush=True)


def env() -> dict[str, str]:
    """What .env says, as compose reads it. Raises CannotDo where there is none."""
    try:
        lines = _ENV.read_text().splitlines()
    except FileNotFoundError:
        raise CannotDo("there is no .env: run deploy/setup first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CannotDo(f".env cannot be read ({error}): it is a text in UTF-8, for its owner alone") from error
    pairs = (line.partition("=") for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def database() -> str:
    return env().get("DATABASE_NAME", "wootstream")


def change_env(name: str, value: str) -> None:
    """Set one line of .env, which is never half written."""
    lines, line = _ENV.read_text().splitlines(), f"{name}={value}"
    changed = [line if one.partition("=")[0].strip() == name else one for one in lines]
    new = _ENV.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text("\n".join(changed if line in changed else [*lines, line]) + "\n")
    new.replace(_ENV)


class Compose:
    """`docker compose`, or the command that WOOTSTREAM_COMPOSE names."""

    def __init__(self) -> None:
        self._command = shlex.split(os.environ.get("WOOTSTREAM_COMPOSE", "docker compose"))

    def do(self, *arguments: str, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> str:
        """Its standard output, unless that goes into a file. Raises CannotDo with the end of what it said."""
        code, out, said = self.attempt(*arguments, stdin=stdin, stdout=stdout)
        if code:
            raise CannotDo(f"`{' '.join(arguments)[:200]}` failed: {_end(said or out)}")
        return out

    def attempt(
        self, *arguments: str, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None
    ) -> tuple[int, str, str]:
        """Exit code, standard output, standard error. Raises CannotDo where there is no such command."""
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                stdin=stdin or subprocess.DEVNULL, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise CannotDo(
                f"{self._command[0]} cannot be run ({error.strerror}): install Docker and its Compose"
            ) from error
        return done.returncode, (done.stdout or b"").decode(errors="replace"), done.stderr.decode(errors="replace")

    def verb(self, *arguments: str) -> tuple[int, str, str]:
        """A verb of wootstream, in a container of its own."""
        return self.attempt("run", "--rm", "--no-deps", "-T", "verb", *arguments)

    def psql(self, sql: str, *, database: str = "postgres") -> str:
        """As the administrator; rows as lines. Raises CannotDo."""
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        return self.do("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", database, *options, "-c", sql).strip()

    def start(self, services: Sequence[str]) -> None:
        """Start them, made anew where image or settings changed, and wait until they are healthy. Raises CannotDo."""
        self.do("up", "--detach", "--no-deps", "--wait", *services)

    def audit(self, since: datetime) -> tuple[dict[str, Any], str]:
        """Its answer, empty where there is none, and what was said beside it. A loss that was noticed before is dealt
        with: it stays written down, and would keep every answer from being clean."""
        _, out, said = self.verb("audit", "--since", since.isoformat(timespec="seconds"), "--json")
        return (json.loads(out) if out.lstrip().startswith("{") else {}), said

    def audited(
        self, *, since: datetime, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> dict[str, Any]:
        """The audit's answer once it is clean and all is read that lay in the topics when it was asked first: where
        shops are open something is in flight at any moment. Raises CannotDo with what it said last."""
        ends: dict[tuple[str | None, str, int], int] = {}
        until = clock() + seconds
        while True:
            answer, said = self.audit(since)
            if answer.get("clean") and _read_up_to(ends, answer):
                return answer
            if clock() > until:
                about = (
                    f"{answer.get('in_flight')} in flight, {answer.get('missing')} missing" if answer else _end(said)
                )
                raise CannotDo(f"the audit is not clean after {seconds:.0f} s: {about}")
            time.sleep(_LOOK_AGAIN_SECONDS)


def _read_up_to(ends: dict[tuple[str | None, str, int], int], answer: Mapping[str, Any]) -> bool:
    """Whether each group has come as far as each log reached when it was first seen here; `ends` remembers that."""
    behind = False
    for line in answer.get("topics", ()):
        wanted = ends.setdefault((line["group"], line["topic"], line["partition"]), line["end_offset"] or 0)
        behind |= line["in_flight"] > 0 and (line["next_offset"] or 0) < wanted
    return not behind


def _end(text: str) -> str:
    return "; ".join(text.strip().splitlines()[-_TOLD_LINES:]) or "it said nothing"
