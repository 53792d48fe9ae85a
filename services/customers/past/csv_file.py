"""A CSV file line by line, and what is kept beside it: how far a reading came, and which lines were refused."""

import csv
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import orjson

from services.customers.past.shop_line import BadLine
from services.kernel.errors import Refusal

_DELIMITERS = ",;\t"
_BLOCK = 1024 * 1024
_LONGEST_FIELD = 128 * 1024  # a quote that is never closed would make the rest of the file one cell
REASON = "reason"
_SHOWN = 20  # of the refused lines; all of them are in the file


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file; `number` is the line where it ends, as an editor counts."""

    number: int
    cells: list[str]
    fault: str | None = None


class PastFile:
    """The file, or standard input where the path is `-`, which is read once and remembers nothing."""

    def __init__(self, path: str) -> None:
        self._path = None if path == "-" else Path(path)
        self._text: TextIO = (
            sys.stdin
            if self._path is None
            else self._path.open(encoding="utf-8-sig", newline="", errors="surrogateescape")
        )
        head = self._text.readline(_LONGEST_FIELD + 2)  # of a file of another kind it may be all
        self._dialect = max(_DELIMITERS, key=head.count)
        csv.field_size_limit(_LONGEST_FIELD)
        try:
            self.header = [name.strip() for name in next(csv.reader([head], delimiter=self._dialect), [])]
        except csv.Error as error:
            self.close()
            raise Refusal(f"the first line must name the columns; it is no line of CSV: {error}") from error

    def lines(self) -> Iterator[Line]:
        """What stands below the header; a line that is none of a table has a fault."""
        rows = csv.reader(self._text, delimiter=self._dialect)
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(rows.line_num + 1, [], str(error))
                continue
            if cells:
                yield Line(rows.line_num + 1, cells, self._fault(cells))

    def _fault(self, cells: list[str]) -> str | None:
        if len(cells) != len(self.header):
            return f"has {len(cells)} cells, the first line {len(self.header)}"
        if any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
            return "is no UTF-8"
        return None

    def beside(self, store: str) -> "Bookmark | None":
        """How far an earlier reading of this very file for this store came."""
        return Bookmark.of(self._path, store) if self._path else None

    def refused(self) -> "RefusedLines":
        """Where refused lines go."""
        return RefusedLines(self._path, self.header, self._dialect)

    def close(self) -> None:
        if self._path is not None:
            self._text.close()


@dataclass(slots=True)
class Bookmark:
    """Kept in FILE.progress; of another file, or another store, it is none."""

    path: Path
    mark: dict[str, Any]
    total: int  # lines of the file, as an editor counts; a cell may hold several
    lines: int = 0

    @classmethod
    def of(cls, file: Path, store: str) -> "Bookmark":
        digest, total = hashlib.sha256(), 0
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
                total += block.count(b"\n")
        path, mark = file.with_name(file.name + ".progress"), {"store": store, "sha256": digest.hexdigest()}
        try:
            kept = orjson.loads(path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return cls(path, mark, total)
        is_ours = isinstance(kept, dict) and mark.items() <= kept.items() and isinstance(kept.get("lines"), int)
        return cls(path, mark, total, kept["lines"] if is_ours else 0)

    def move(self, lines: int) -> None:
        """All up to this line have been sent; whole or not at all, also when the machine stops here."""
        self.lines = lines
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}")  # two may read the same file
        new.write_bytes(orjson.dumps(self.mark | {"lines": lines}))
        os.replace(new, self.path)

    def remove(self) -> None:
        """The file is read to its end."""
        self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class RefusedLines:
    """FILE.refused.csv: the lines that were skipped, as they were, with the reason, to be mended and read in again."""

    path: Path | None
    header: list[str]
    delimiter: str
    count: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, line: Line, why: BadLine | str) -> None:
        """Skip a line."""
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(f"line {line.number}: {why}")
        if self.path is None:
            return
        to = self.path.with_name(self.path.name + ".refused.csv")
        with to.open("a", encoding="utf-8", newline="", errors="surrogateescape") as out:
            writer = csv.writer(out, delimiter=self.delimiter)
            if out.tell() == 0:
                writer.writerow([*self.header, REASON])
            writer.writerow([*line.cells, *[""] * (len(self.header) - len(line.cells)), str(why)])
