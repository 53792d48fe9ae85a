"""How verbs are told a time, and how they answer: a table and a bar for people, JSON for scripts."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from schemas import bounds
from services.kernel.clock import Clock
from services.kernel.errors import Refusal
from services.kernel.printable import printable, printable_json, printable_lines

# Where nobody looks, a line is not broken for want of a terminal's width.
_PIPED_WIDTH = 250
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
_AGO = re.compile(r"(\d+)([mhdw])")
_SHARE = re.compile(r"\d+(\.\d+)?%")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, zone: str, now: datetime) -> datetime:
    """The moment meant by `text`: so long ago, or a date or time of the zone's calendar, in UTC.

    Raises ValueError."""
    try:
        if ago := _AGO.fullmatch(text):
            return bounds.moment(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        named = datetime.fromisoformat(text)
        return bounds.moment(named if named.tzinfo else named.replace(tzinfo=ZoneInfo(zone)))
    except OverflowError as cause:
        raise ValueError(f"{text} lies outside of every calendar") from cause


def since(text: str | None) -> datetime | None:
    """So long ago, or a date or time, of UTC where it names no zone; None: ever. Raises Refusal."""
    try:
        return None if text is None else moment(text, zone="UTC", now=Clock().now())
    except ValueError as cause:
        raise Refusal(
            f"{text!r} is no time between 1970 and 2199: say 30m, 12h, 7d, 4w, 2026-11-01 or 2026-11-01T09:00"
        ) from cause


def not_empty(words: str | None) -> str | None:
    """What narrows a choice. Raises Refusal where it is empty: a variable that is not set must not choose all."""
    if words == "":
        raise Refusal("an option that narrows the choice is empty: leave it out, or say what it shall be")
    return words


def print_json(answer: object) -> None:
    """One line; dates as ISO 8601, ids as text."""
    sys.stdout.write(printable_json(orjson.dumps(answer, default=_plain).decode()) + "\n")


def _plain(value: Any) -> Any:
    """What orjson does not know: ids as the driver makes them, and rows of the database."""
    return str(value) if isinstance(value, UUID) else dict(value)


def show(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    footer: str = "",
    styles: Sequence[str] | None = None,
) -> None:
    """Numbers right, words left; strangers' words escaped where they are more than words. `styles`: of each row's
    first cell, on a terminal."""
    piped = None if sys.stdout.isatty() else _PIPED_WIDTH
    console = Console(highlight=False, markup=False, emoji=False, width=piped)
    table = Table(box=None, header_style="bold", pad_edge=False)
    lines = [[*row] for row in rows]
    for number, name in enumerate(columns):
        numeric = bool(lines) and all(_is_number(row[number]) for row in lines)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=number == 0)
    for number, row in enumerate(lines):
        cells = [Text("" if cell is None else printable(str(cell))) for cell in row]
        if styles:
            cells[0].stylize(styles[number])
        table.add_row(*cells)
    console.print(table)
    if footer:
        console.print(printable_lines(footer), soft_wrap=True)


def _is_number(cell: object) -> bool:
    """A share is one, too; what is not there stands in no number's way."""
    return isinstance(cell, int | float | None) or (isinstance(cell, str) and bool(_SHARE.fullmatch(cell)))


def ask_first(question: str, *, as_json: bool, shown: Callable[[], None] = lambda: None) -> None:
    """Ask on stderr, and show before what is asked about; there, too, where the answer is JSON, alone on stdout.

    Raises Abort where the person says no, or nobody is there."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        shown()
    typer.confirm(question, abort=True, err=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for people; nothing where nobody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
