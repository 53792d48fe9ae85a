"""The record of processing (GDPR art. 30), made from what the columns say of themselves."""

import csv
import io
import re
from collections.abc import Iterable
from typing import NamedTuple

from db.pool import Row

_MARK = re.compile(
    r"\[personal: (?P<what>[^;]+); purpose: (?P<purpose>[^;]+); from: (?P<source>[^;]+); kept: (?P<kept>[^;]+); "
    r"read by: (?P<readers>[^\]]+)\]"
)
_HEADINGS = ("table", "column", "what", "purpose", "from", "kept", "read by")


class ProcessedColumn(NamedTuple):
    """One column with personal data."""

    table: str
    column: str
    what: str
    purpose: str
    source: str
    kept: str
    readers: str


def processed(rows: Iterable[Row]) -> list[ProcessedColumn]:
    """The columns whose comment says that they hold something of a person."""
    marked = ((row, _MARK.search(row["comment"] or "")) for row in rows)
    return [ProcessedColumn(row["table"], row["column"], **mark.groupdict()) for row, mark in marked if mark]


def as_markdown(columns: Iterable[ProcessedColumn]) -> str:
    lines = [_HEADINGS, tuple("---" for _ in _HEADINGS), *columns]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def as_csv(columns: Iterable[ProcessedColumn]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_HEADINGS, *columns])
    return text.getvalue().rstrip("\n")
