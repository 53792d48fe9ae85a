"""A verb loads its own room alone; the table that says which must be what the rooms add."""

import errno
import gc
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest
import typer
from aiokafka.errors import KafkaConnectionError

from services.cli import VERBS, command_line, main
from services.kernel import Refusal, Retryable, Sealed, Stop


def _verbs(app: typer.Typer) -> set[str]:
    return set(getattr(typer.main.get_command(app), "commands", {}))


@pytest.mark.parametrize("verbs", [verbs for _, verbs in VERBS], ids=" ".join)
def test_each_room_adds_the_verbs_that_the_table_says(verbs: tuple[str, ...]) -> None:
    for verb in verbs:
        assert _verbs(command_line(verb)) == set(verbs)


def test_the_help_and_a_verb_that_nobody_has_know_all() -> None:
    everything = {verb for _, verbs in VERBS for verb in verbs}
    assert _verbs(command_line()) == _verbs(command_line("no-such-verb")) == everything


def test_a_door_loads_nothing_of_the_operators_verbs_of_consumers_and_of_a_developers_machine() -> None:
    program = (
        "import sys, importlib; from services.cli import SERVICES, command_line; command_line('run')\n"
        "importlib.import_module(SERVICES['ingress'])\n"
        "others = 'local.', 'services.control', 'services.contacts', 'faststream'\n"
        "print([name for name in sys.modules if name.startswith(others)])"
    )
    assert _said_by(program) == "[]"


def test_no_process_and_no_verb_looks_for_sources_when_it_starts() -> None:
    """Pydantic reads them for docstrings of fields: it asks first of each module there is where its file lies."""
    program = (
        "import importlib, inspect; from services.cli import SERVICES, command_line; command_line()\n"
        "for module in SERVICES.values(): importlib.import_module(module)\n"
        "print(inspect.modulesbyfile)"
    )
    assert _said_by(program) == "{}"


def test_a_verb_that_needs_neither_chatwoot_nor_an_http_server_loads_neither() -> None:
    program = (
        "import sys; from services.cli import command_line; command_line('migrate')\n"
        "print([name for name in sys.modules if name in ('httpx', 'uvicorn', 'starlette')])"
    )
    assert _said_by(program) == "[]"


def _said_by(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Refusal("there is no store 'nl'"), "there is no store 'nl'"),
        (Stop("no database: set DATABASE_URL"), "no database: set DATABASE_URL"),
        (Sealed("another key sealed it"), "another key sealed it"),
        (Retryable("Chatwoot does not answer: ConnectError"), "ConnectError: say the same again later"),
        (KafkaConnectionError("away"), "KAFKA_BOOTSTRAP_SERVERS"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "DATABASE_URL"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "PostgreSQL does not answer as it should"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "DATABASE_URL"),
        (OSError("Multiple exceptions: both addresses"), "PostgreSQL does not answer as it should (OSError)"),
        (asyncpg.DataError("value out of int64 range"), "PostgreSQL cannot hold a value that was given"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x cannot be used: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "folder"), "folder cannot be used: Is a directory"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "long"), "long cannot be used: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_world_or_a_persons_words_are_at_fault_for_is_one_sentence_and_no_traceback(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb() -> NoReturn:
        raise error

    code, said = _ended(verb, ["wootstream", "audit"], monkeypatch, capsys)
    assert (code, sentence in said, said.count("\n")) == (2, True, 1)


def test_bytes_that_are_no_text_are_refused_before_any_verb_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = _ended(lambda: None, ["wootstream", "push", "geheim\udcff"], monkeypatch, capsys)
    assert (code, said) == (2, "argument 2 is no UTF-8: write it in UTF-8\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_standard_stream_that_is_closed_takes_and_says_nothing(closed: str, tmp_path: Path) -> None:
    """What is asked of standard input is answered as if it were empty, and no file gets a stream's number."""
    (tmp_path / "request").write_text("")
    verb = f'"{sys.executable}" -m services.cli verify --secret-stdin "{tmp_path}/request" {closed}'
    done = subprocess.run(["/bin/sh", "-c", verb], capture_output=True, text=True, input="", check=False)
    told = "" if "2>&-" in closed else "standard input held no secret"
    assert (done.returncode, done.stdout, done.stderr[: len(told) or None]) == (2, "", told)


def test_what_is_logged_before_a_verb_asks_for_logs_leaves_standard_output_to_answers() -> None:
    program = (
        "import sys, structlog, services.cli as cli; sys.argv = ['wootstream', 'audit']\n"
        "cli.command_line = lambda _: lambda: structlog.get_logger().warning('kafka_is_away')\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, "kafka_is_away" in done.stderr) == ("", True)


def test_ctrl_c_while_modules_are_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert _ended(interrupted, ["wootstream", "audit"], monkeypatch, capsys) == (130, "")


def _ended(
    verb: Callable[[], None],
    argv: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[object, str]:
    """The exit code and standard error of a command line whose only verb does this."""
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr("services.cli.configure_logs", lambda *_: None)
    monkeypatch.setattr("services.cli.command_line", lambda _: verb)
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


def test_the_end_of_a_verb_walks_none_of_the_modules_it_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr("services.cli.configure_logs", lambda *_: None)
    monkeypatch.setattr(gc, "freeze", lambda: left.append(len(sys.modules)))
    monkeypatch.setattr(sys, "argv", ["wootstream", "verify", "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, bool(left)) == (0, True)
