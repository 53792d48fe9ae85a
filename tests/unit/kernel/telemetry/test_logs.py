"""Logs: one JSON object a line, static names, and nothing of what an exception says."""

import asyncio
import json
import logging
import sys
from typing import Any

import asyncpg
import pytest
import structlog
from pydantic import BaseModel, ValidationError

from services.kernel import Settings, Stop
from services.kernel.telemetry.logs import configure_logs
from services.kernel.telemetry.sentry import report_errors

SECRET = "jane@example.org"


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, without the last words of a task that an earlier test left to the collector."""
    out, err = capsys.readouterr()
    assert out == ""
    lines: list[dict[str, Any]] = [json.loads(line) for line in err.splitlines()]
    return [line for line in lines if "was destroyed" not in line.get("text", "")]


class _Person(BaseModel):
    age: int


def _refused_by_postgres() -> BaseException:
    error: Any = asyncpg.UniqueViolationError(f"Key (email)=({SECRET}) already exists")
    error.detail, error.constraint_name = f"Failing row contains ({SECRET})", "people_email_key"
    assert isinstance(error, Exception)
    return error


def _refused_by_the_schema() -> BaseException:
    try:
        _Person.model_validate({"age": SECRET})
    except ValidationError as error:
        return error
    raise AssertionError("the schema took it")


def _caused() -> BaseException:
    outer = RuntimeError(f"cannot store {SECRET}")
    outer.__cause__ = KeyError(SECRET)
    return outer


@pytest.mark.parametrize(
    ("error", "sentences"),
    [
        (_refused_by_postgres(), ["PostgreSQL refuses it: UniqueViolation (23505), people_email_key"]),
        (_refused_by_the_schema(), ["age: Input should be a valid integer, unable to parse string as an integer"]),
        (_caused(), ["RuntimeError", "KeyError"]),
    ],
    ids=["PostgreSQL", "pydantic", "cause"],
)
def test_an_exception_is_told_by_type_and_place_never_by_what_it_quotes(
    capsys: pytest.CaptureFixture[str], error: BaseException, sentences: list[str]
) -> None:
    configure_logs("info", "json")
    try:
        email = SECRET  # a local variable that no traceback may show
        raise error
    except BaseException as raised:
        structlog.get_logger().error("batch_fails", exc_info=raised)
        logging.getLogger("a.library").error("it failed", exc_info=True)
        del email
    # By name: an object that an earlier test left may say its last words in between.
    said = {line.get("library", line["event"]): line for line in _lines(capsys)}
    ours, theirs = said["batch_fails"], said["a.library"]
    assert [one["told"] for one in ours["exception"]] == sentences
    assert any("test_an_exception" in frame for frame in ours["exception"][0]["frames"])
    assert theirs["exception"] == ours["exception"]
    assert SECRET not in json.dumps(said)


@pytest.mark.parametrize(
    "logger", [structlog.get_logger(), logging.getLogger("a.library")], ids=["ours", "a library's"]
)
def test_an_exception_is_told_to_people_on_lines_of_its_own(capsys: pytest.CaptureFixture[str], logger: Any) -> None:
    configure_logs("info", "console")
    try:
        raise _caused()
    except RuntimeError as raised:
        logger.error("batch_fails", exc_info=raised)
    said = capsys.readouterr().err
    first, *told = said.splitlines()
    assert "[error" in first
    assert [line for line in told if not line.startswith("  ")] == ["RuntimeError: RuntimeError", "KeyError: KeyError"]
    assert any("test_an_exception_is_told_to_people" in line for line in told)
    assert SECRET not in said


def test_a_line_is_one_json_object_with_time_level_and_a_static_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    structlog.get_logger().warning("batch_waits", attempt=2, text="two\nlines")
    [line] = _lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch_waits", "level": "warning", "attempt": 2, "text": "two\nlines"}


def test_what_a_library_says_becomes_a_field_of_an_event_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    logging.getLogger("some.client").warning("node %s is gone", 3)
    [line] = _lines(capsys)
    assert line | {"timestamp": ""} == {
        "event": "library_says",
        "library": "some.client",
        "text": "node 3 is gone",
        "level": "warning",
        "timestamp": "",
    }


async def test_a_task_that_nobody_waited_for_quotes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    quoting = {"message": "Task exception was never retrieved", "exception": KeyError(SECRET), "future": _caused()}
    asyncio.get_running_loop().default_exception_handler(quoting)
    [line] = _lines(capsys)
    assert (line["text"], line["exception"][0]["told"]) == ("Task exception was never retrieved", "KeyError")
    assert SECRET not in json.dumps(line)


def test_what_is_less_severe_than_asked_for_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")
    structlog.get_logger().info("batch_waits")
    logging.getLogger("a.library").info("hello")
    assert _lines(capsys) == []


def test_sentry_is_told_what_the_log_tells_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[dict[str, Any]] = []
    configure_logs("info", "json")
    dsn = {"sentry_dsn": "https://key@127.0.0.1/1"}
    report_errors(Settings.model_validate(dsn), before_send=lambda event, _hint: sent.append(event))
    structlog.get_logger().warning("batch_waits")
    structlog.get_logger().error("process_fails", exc_info=_refused_by_postgres())
    [event] = sent
    assert (event["message"], event["level"]) == ("process_fails", "error")
    [logged] = [line for line in _lines(capsys) if line["event"] == "process_fails"]  # as above
    assert event["extra"]["exception"] == logged["exception"]
    assert SECRET not in json.dumps(event, default=str)


def test_sentry_without_its_sdk_stops_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(Stop, match=r"pip install 'wootstream\[sentry\]'"):
        report_errors(Settings.model_validate({"sentry_dsn": "https://key@127.0.0.1/1"}))
