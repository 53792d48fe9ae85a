"""What lies set aside in the spools of a directory: Kafka refuses it for good, or it is damaged.

Looked at, exported and discarded beside living processes; the next process that starts offers it to Kafka again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingress.spool.codec import Unframed, unframe, unseal
from services.kernel import Record
from services.kernel.errors import Sealed
from services.kernel.secrets import Secrets

_WAIT_SECONDS = 10.0  # for a transaction of the process that owns the file
_WHERE = "where (:topic is null or topic = :topic) and (:reason is null or instr(lower(reason), lower(:reason)))"
_COUNT = f"""
select topic, reason, sum(records), sum(size), min(accepted_at) from refused {_WHERE}
group by topic, reason order by topic, reason
"""  # noqa: S608
_READ = f"select reason, accepted_at, sealed from refused {_WHERE} order by id"  # noqa: S608
_DISCARD = f"delete from refused {_WHERE} returning records"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every field that is not None narrows."""

    file: str | None = None
    topic: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """What one file holds for one topic and one reason; no topic: damaged, so nobody can read where it was to go."""

    file: str
    topic: str
    reason: str
    records: int
    bytes: int
    oldest_at: float  # when the oldest was accepted, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Exported:
    """One record with where it lay, or None where it cannot be opened."""

    file: str
    reason: str
    accepted_at: float
    record: Record | None


class DamagedFile(Exception):
    """SQLite reads nothing of it: how many records it holds, and where they were to go, nobody knows."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(
            f"{path} is damaged ({why}): move it out of the spool, keep it, and say `wootstream spool discard --file "
            f"{path.name}`, so that the audit forgets it"
        )
        self._path, self._reason = path, f"the file is damaged: {why}"

    def aside(self, wanted: Wanted) -> list[Aside]:
        """It as a whole, where it is wanted."""
        if wanted.topic is not None or (wanted.reason or "").lower() not in self._reason.lower():
            return []
        seen = self._path.stat()
        return [Aside(self._path.name, "", self._reason, 1, seen.st_size, seen.st_mtime)]


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.sqlite3"))


def counted(directory: Path, wanted: Wanted) -> list[Aside]:
    """A file that is damaged as a whole is one record of nobody knows what. Raises sqlite3.OperationalError."""
    return [aside for path in _wanted(directory, wanted) for aside in _counted(path, wanted)]


def exported(directory: Path, wanted: Wanted, secrets: Secrets) -> Iterator[Exported]:
    """One after the other, oldest first. Raises sqlite3.OperationalError."""
    for path in _wanted(directory, wanted):
        try:
            for reason, accepted_at, sealed in _rows(path, _READ, wanted):
                for record in _opened(secrets, sealed):
                    yield Exported(path.name, reason, accepted_at, record)
        except DamagedFile as damage:
            yield from (Exported(one.file, one.reason, one.oldest_at, None) for one in damage.aside(wanted))


def discarded(directory: Path, wanted: Wanted) -> int:
    """Give them up for good; answers how many records. Raises sqlite3.OperationalError.

    A damaged file stays: who knows more of it than SQLite may still read it.
    """
    gone = 0
    for path in _wanted(directory, wanted):
        with suppress(DamagedFile), reading(path), closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as db, db:
            gone += sum(records for (records,) in db.execute(_DISCARD, _values(wanted)).fetchall())
    return gone


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raises DamagedFile, and sqlite3.OperationalError; nothing of a file that was drained and removed just now."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not path.exists():
            return
        if isinstance(error, sqlite3.OperationalError):  # a lock, a permission, the disk
            raise
        raise DamagedFile(path, error) from error


def _counted(path: Path, wanted: Wanted) -> list[Aside]:
    try:
        return [Aside(path.name, *row) for row in _rows(path, _COUNT, wanted)]
    except DamagedFile as damage:
        return damage.aside(wanted)


def _wanted(directory: Path, wanted: Wanted) -> list[Path]:
    return [path for path in files(directory) if wanted.file in (None, path.name)]


def _values(wanted: Wanted) -> dict[str, str | None]:
    return {"topic": wanted.topic, "reason": wanted.reason}


def _rows(path: Path, query: str, wanted: Wanted) -> Iterator[tuple[Any, ...]]:
    address = f"file:{path}?mode=ro"
    with reading(path), closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as db:
        yield from db.execute(query, _values(wanted))


def _opened(secrets: Secrets, sealed: bytes) -> list[Record | None]:
    try:
        return [*unframe(unseal(secrets, sealed))]
    except (Sealed, Unframed):
        return [None]
