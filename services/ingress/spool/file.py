"""One spool on the disk: a SQLite file, locked by the process that writes it, with a reserve for a disk that is full.

NAME.sqlite3 holds the chunks. NAME.emptied stays of one that was drained and removed, until PostgreSQL is told: a file
that is not there is a lost one without it. NAME.lock is held for the owner's whole life, however it ends; a lock on the
database itself would be lost with the first of several descriptors. NAME.reserve is given up when even DELETE finds no
room.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.kernel.secrets import Secrets

EMPTIED = ".emptied"
_PAGE_BYTES = 4096
_VACUUM_PAGES = 4_000  # 16 MB a turn: whoever puts in meanwhile waits for one turn, not for gigabytes
_OLDEST = "select accepted_at from chunks order by id limit 1"
_HELD = "select coalesce(sum(records), 0), coalesce(max(id), 0) from chunks"
_INSERT = "insert into chunks (id, accepted_at, records, size, sealed) values (?, ?, ?, ?, ?)"
_REFUSE = """
insert into refused (reason, topic, accepted_at, records, size, sealed)
select ?, ?, accepted_at, ?, ?, ? from chunks where id = ?
"""
_OFFER_AGAIN = """
begin immediate;
insert into chunks (accepted_at, records, size, sealed)
  select accepted_at, records, size, sealed from refused order by id;
delete from refused;
commit;
"""
_NEXT = "select id, records, size, sealed from chunks where id > ? order by id"
SCHEMA = """
create table if not exists about (key_id text not null);
create table if not exists chunks
  (id integer primary key, accepted_at real not null, records int not null, size int not null, sealed blob not null);
create table if not exists refused (
  id integer primary key, reason text not null, topic text not null,
  accepted_at real not null, records int not null, size int not null, sealed blob not null
);
"""
# For the `refused` of an earlier release.
ADD_TOPIC = "alter table refused add column topic text not null default ''"
# What a DELETE changes goes into SQLite's log before anything is free: without a reserve a full disk cannot be drained.
_RESERVE_BYTES = 4 * 1024**2
_SCARCE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk to be written: when its first record was accepted (seconds since 1970), and its size before sealing."""

    accepted_at: float
    records: int
    size: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk as it lies in the file."""

    id: int
    records: int
    size: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SetAside:
    """A part of a chunk that is set aside until the next start, and why; no topic where it cannot be read."""

    reason: str
    records: int
    size: int
    sealed: bytes
    topic: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What becomes of a chunk: sealed anew with the records that remain, or gone; and what of it is set aside."""

    id: int
    records: int
    remaining: int = 0
    size: int = 0
    sealed: bytes = b""
    refused: Sequence[SetAside] = ()


class Reserve:
    """A file of zeros, deleted when even DELETE finds no room."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def balance(self) -> None:
        """Set it aside where the disk has plenty; give it up where not even a file could be opened."""
        free = shutil.disk_usage(self._path.parent).free
        if free < _SCARCE_BYTES:
            self.give_up()
        elif free > 3 * _RESERVE_BYTES and not self._path.exists():
            with suppress(OSError):  # somebody else was quicker with the rest of the disk; the next time then
                self._path.write_bytes(bytes(_RESERVE_BYTES))

    def give_up(self) -> bool:
        """False if there was nothing left to give."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True


def claim(path: Path) -> int | None:
    """Lock the file for as long as the descriptor lives; None while another process holds it, or it is just going."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its owner may have removed it between our open and our lock: then we hold a file that nobody else can see.
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


class Unreadable(Exception):
    """The file is damaged, or an installation key sealed it that is not here."""


def _inode(path: Path) -> tuple[int, int] | None:
    """None where there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SpoolFile:
    """Opened by its owner alone; not for several threads at once. Raises Unreadable, OSError, sqlite3.Error."""

    def __init__(self, path: Path, lock: int, *, secrets: Secrets) -> None:
        self.path = path
        self._lock = lock
        self.reserve = Reserve(path.with_suffix(".reserve"))
        self.reserve.balance()
        self.records = 0
        # Whether anything may have been told of it: a life before this one may have ended between its last drain and
        # the word that nothing waits any more.
        self._held = path.exists()
        self._last_id = 0  # SQLite would give the id of a last chunk that is gone to the next, behind a reader's back
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript(f"pragma page_size = {_PAGE_BYTES}; pragma auto_vacuum = incremental;")
            # synchronous = full: an answer is a promise that outlives the power, which WAL's usual `normal` does not.
            # Overwriting what is deleted would need as much room again; it is sealed anyway.
            self._db.executescript("pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = off;")
            self._db.executescript(SCHEMA)
            if "topic" not in {row[1] for row in self._db.execute("pragma table_info(refused)")}:
                self._db.execute(ADD_TOPIC)
            self._check_key(secrets)
            self._db.executescript(_OFFER_AGAIN)
            self.records, self._last_id = self._db.execute(_HELD).fetchone()
            self._inode = _inode(path)
        except sqlite3.DatabaseError as damage:
            self._db.close()
            raise Unreadable(f"{path} cannot be read ({damage})") from damage

    def cap(self, cap_bytes: int) -> None:
        """From now on the file grows no larger: what is beyond is refused, what is deleted makes room."""
        self._db.execute(f"pragma max_page_count = {cap_bytes // _PAGE_BYTES}").fetchone()

    def _check_key(self, secrets: Secrets) -> None:
        known = self._db.execute("select key_id from about").fetchone()
        if known is None:
            self._db.execute("insert into about values (?)", (secrets.key_id,))
        elif not secrets.knows(known[0]):
            self._db.close()
            raise Unreadable(f"{self.path} was sealed with installation key {known[0]}: put that back beside ours")

    @property
    def is_there(self) -> bool:
        """Whether it still lies where the next process looks. Of a file that was deleted under us, or whose disk was
        taken away, SQLite and fsync tell nothing: what is written into it ends with this process."""
        return _inode(self.path) == self._inode

    @property
    def used_bytes(self) -> int:
        return self._pages("page_count") - self.freed_bytes

    @property
    def freed_bytes(self) -> int:
        """Room inside the file, which is used again before the file grows."""
        return self._pages("freelist_count")

    def _pages(self, what: str) -> int:
        return int(self._db.execute(f"pragma {what}").fetchone()[0]) * _PAGE_BYTES

    @property
    def refused(self) -> int:
        return int(self._db.execute("select count(*) from refused").fetchone()[0])

    @property
    def oldest_at(self) -> float | None:
        found = self._db.execute(_OLDEST).fetchone()
        return found[0] if found else None

    def write(self, chunks: Sequence[NewChunk], changes: Sequence[FileChange]) -> None:
        """Both in one transaction, on the disk when this returns. Raises sqlite3.OperationalError when it is full."""
        self._db.execute("begin immediate")
        try:
            for one in chunks:
                self._last_id += 1
                self._db.execute(_INSERT, (self._last_id, one.accepted_at, one.records, one.size, one.sealed))
            for change in changes:
                self._apply(change)
            self._db.execute("commit")
        except sqlite3.Error:
            if self._db.in_transaction:  # some errors have rolled back already
                self._db.execute("rollback")
            raise
        self._held |= bool(chunks)
        self.records += sum(one.records for one in chunks) + sum(one.remaining - one.records for one in changes)

    def _apply(self, change: FileChange) -> None:
        for one in change.refused:
            self._db.execute(_REFUSE, (one.reason, one.topic, one.records, one.size, one.sealed, change.id))
        if change.remaining:
            values = (change.remaining, change.size, change.sealed, change.id)
            self._db.execute("update chunks set records = ?, size = ?, sealed = ? where id = ?", values)
        else:
            self._db.execute("delete from chunks where id = ?", (change.id,))

    def read(self, after: int, *, records: int, limit_bytes: int) -> list[ChunkRow]:
        """The next chunks in the order of acceptance, about so many records, and one at least."""
        found: list[ChunkRow] = []
        for row in self._db.execute(_NEXT, (after,)):
            found.append(ChunkRow(*row))
            records -= found[-1].records
            limit_bytes -= found[-1].size
            if records <= 0 or limit_bytes <= 0:
                break
        return found

    def shrink(self) -> bool:
        """Give some freed pages back to the disk; True while there are more."""
        # `execute` steps the pragma once and frees one page; a script runs it to its end.
        self._db.executescript(f"pragma incremental_vacuum({_VACUUM_PAGES});")
        if self.freed_bytes:
            return True
        self._db.execute("pragma wal_checkpoint(truncate)").fetchone()
        self.reserve.balance()
        return False

    def close(self) -> None:
        """Give the file up; one in which nothing waits is removed."""
        nothing = self.records == 0 and self.refused == 0
        self._db.close()
        if nothing:
            if self._held:
                with suppress(OSError):  # then it counts as lost, until somebody says `spool discard --file`
                    self.path.with_suffix(EMPTIED).touch()
            self.reserve.give_up()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self.path.with_suffix(".lock").unlink(missing_ok=True)
        os.close(self._lock)
