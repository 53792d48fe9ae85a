"""Strangers' text on a terminal moves no cursor, turns no direction, hides nothing, and begins no line of its own."""

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.conversations.reports.tables import write_csv
from services.ingress.cli import _line
from services.ingress.tail import Arrival, _arrival
from services.kernel import Record
from services.kernel.cli.terminal import print_json, show
from services.kernel.printable import printable, printable_json, utc
from services.kernel.telemetry.logs import _renderer

_ROOT = Path(__file__).parents[3]
_ODD = [
    *("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\nb", "a\rb", "\x08", "\x7f", "\0", "\ud83d"),
    *("\u202egpj.exe", "\u200b", "\u2028", "\ufeff", "\U000e0041"),
]
_SOUND = [
    "message_created",
    "Jürgen Groß",
    "日本",
    "😀",
    "[bold]x[/bold]",
    ":smile:",
    "a  b",
    "12\xa0000",
    "全角\u3000",
]


@pytest.mark.parametrize("text", _ODD)
def test_what_is_more_than_words_is_escaped(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == text


@pytest.mark.parametrize("text", _SOUND)
def test_words_stay_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(("name",), [(text,)])

    assert printable(text) == text
    assert text in capsys.readouterr().out


@pytest.mark.parametrize("text", _ODD)
def test_no_way_to_a_terminal_lets_it_through(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(("name",), [(text,)], footer=f"halted: {text}")
    print(_line(Arrival(None, None, "events", text), "shop"))
    print(_renderer("console")(None, "info", {"event": "odd", "library": text, "text": [text]}))
    print(_renderer("json")(None, "info", {"event": "odd", "text": text}))
    if text != "\ud83d":  # what orjson refuses
        print_json({"name": text})
    spreadsheet = io.StringIO()
    write_csv(("name",), [(text,)], spreadsheet)

    shown = (capsys.readouterr().out + spreadsheet.getvalue()).replace("\n", "")
    assert shown.isprintable(), shown


def test_escaped_json_means_the_same() -> None:
    value = {"\u202ea": ["\x7f\x9b\\\\", "\U000e0041", "\\u202e", "😀", 1.5, None]}
    text = orjson.dumps(value).decode()

    assert printable_json(text).isprintable()
    assert orjson.loads(printable_json(text)) == value


def test_an_events_name_that_a_foreign_writer_gave_is_shown_in_part() -> None:
    record = Record("shop.events", None, b"", (("event", b"e" * 100_000),), partition=1, offset=2)

    assert _arrival(record).what == "e" * 64 + "…"


def test_a_cell_that_begins_like_a_formula_is_none() -> None:
    file = io.StringIO()
    write_csv(("name", "apart"), [("=1+1", -2.5), ("@x", 0), ("amsel", None)], file)

    assert list(csv.reader(io.StringIO(file.getvalue())))[1:] == [["'=1+1", "-2.5"], ["'@x", "0"], ["amsel", ""]]


def test_a_moment_of_any_zone_is_shown_in_utc_and_says_so() -> None:
    moment = datetime(2026, 11, 23, 4, 51, 54, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert utc(moment) == utc(moment.astimezone(UTC)) == "2026-11-23 03:51:54 UTC"


def test_no_verb_shows_a_moment_without_its_zone() -> None:
    """Who reads a list of customers who wait took UTC for their own clock."""
    sources = (_ROOT / "services").rglob("*.py")
    bare = {str(path.relative_to(_ROOT)) for path in sources if re.search(r":%F %(T|H)", path.read_text())}
    says_it_itself = {"services/kernel/printable.py", "services/conversations/reports/tables.py"}
    assert bare == says_it_itself
