"""All spool files of a process: its own, which it fills, and those that dead processes left, which it only empties."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import uuid_utils

from services.ingress.spool.codec import Unframed, frame, seal, unframe, unseal
from services.ingress.spool.file import ChunkRow, FileChange, NewChunk, SetAside, SpoolFile, Unreadable, claim
from services.kernel import Record
from services.kernel.errors import Sealed
from services.kernel.secrets import Secrets

_SMALLEST_BYTES = 1024**2  # for our own file, however much dead processes have left
# Small enough to be sealed anew when only some of it was published, large enough for bodies to compress together.
_CHUNK_RECORDS = 200
_CHUNK_BYTES = 256 * 1024
log = structlog.get_logger()


class Full(Exception):
    """Nothing more can be written: the cap is reached, or the disk is full or broken."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records that wait; `file` and `id` say where they lie."""

    file: SpoolFile
    id: int
    records: int
    waiting: Sequence[Record]


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What became of a chunk: the frames that remain to be published, what Kafka refused for good, with why, and what
    it has."""

    chunk: Chunk
    remaining: Sequence[bytes] = ()
    refused: Sequence[tuple[str, Record]] = ()
    taken: Sequence[Record] = ()


def chunks(frames: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The frames in their order, in portions that are read and sealed at once; a large record is one alone."""
    some: list[bytes] = []
    size = 0
    for framed in frames:
        if some and (len(some) == _CHUNK_RECORDS or size + len(framed) > _CHUNK_BYTES):
            yield some
            some, size = [], 0
        some.append(framed)
        size += len(framed)
    if some:
        yield some


class Shelf:
    """Blocking, so only the spool's own thread works here once it is open. Raises OSError where it cannot write."""

    def __init__(self, directory: Path, secrets: Secrets, *, cap_bytes: int) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.unreadable = 0
        self.cap_bytes = cap_bytes
        self._directory = directory
        self._secrets = secrets
        left = sorted(directory.glob("*.sqlite3"))  # their names begin with a time, so this is their order
        self._files = [file for path in left if (file := self._adopt(path))]
        self._own = self._begin()
        self._share_cap()

    @property
    def records(self) -> int:
        return sum(file.records for file in self._files) + self._own.records

    @property
    def refused(self) -> int:
        return sum(file.refused for file in self._all())

    @property
    def used_bytes(self) -> int:
        return sum(file.used_bytes for file in self._all())

    @property
    def oldest_at(self) -> float | None:
        return next((at for file in self._all() if (at := file.oldest_at)), None)

    @property
    def freed_bytes(self) -> int:
        return self._own.freed_bytes

    @property
    def disk_bytes(self) -> int:
        """What the disk still gives; nothing where it was taken away, or takes nothing."""
        try:
            takes = self._directory.is_dir() and os.access(self._directory, os.W_OK)
            return shutil.disk_usage(self._directory).free if takes else 0
        except OSError:
            return 0

    def is_own(self, chunk: Chunk) -> bool:
        """Whether this process has put it in, and no dead one."""
        return chunk.file is self._own

    def write(self, accepted_at: float, frames: Sequence[bytes]) -> None:
        """All of them are on the disk when this returns. Raises Full, and then none of them is."""
        try:
            if not self._own.is_there:
                self._begin_again()
            self._own.write([self._new(accepted_at, some) for some in chunks(frames)], ())
        except (sqlite3.Error, OSError, Unreadable) as error:
            raise Full(str(error)) from error

    def settle(self, settled: Sequence[ChunkOutcome]) -> None:
        """Forget what Kafka has. On a full disk the reserve is given up for it."""
        for file in {one.chunk.file for one in settled}:
            changes = [self._change(one) for one in settled if one.chunk.file is file]
            try:
                file.write((), changes)
            except sqlite3.OperationalError:
                if not [one for one in self._all() if one.reserve.give_up()]:
                    raise
                file.write((), changes)
            if file is not self._own and file.records == 0:
                self._files.remove(file)
                file.close()
                self._share_cap()

    def read(self, after: Chunk | None, *, records: int, limit_bytes: int) -> list[Chunk]:
        """The next chunks after this one, from one file. What cannot be opened any more is set aside."""
        files = self._all()
        for file in files[files.index(after.file) :] if after and after.file in files else files:
            last = after.id if after and file is after.file else 0
            while rows := file.read(last, records=records, limit_bytes=limit_bytes):
                if found := [chunk for row in rows if (chunk := self._opened(file, row))]:
                    return found
        return []

    def shrink(self) -> bool:
        """Give some room back to the disk; True while there is more to give."""
        return self._own.shrink()

    def close(self) -> None:
        for file in self._all():
            file.close()

    def _all(self) -> list[SpoolFile]:
        return [*self._files, self._own]

    def _begin(self) -> SpoolFile:
        path = self._directory / f"{uuid_utils.uuid7()}.sqlite3"
        lock = claim(path.with_suffix(".lock"))
        if lock is None:
            raise OSError(f"{path} is locked by another process, though its name was made now")
        return SpoolFile(path, lock, secrets=self._secrets)

    def _begin_again(self) -> None:
        """Somebody deleted our file, or took its disk away. What it holds can be drained by this process alone."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        gone, self._own = self._own, self._begin()
        cure = "do not stop this process before Kafka is back: no other can drain what the file held"
        log.error("spool_file_was_deleted", file=gone.path.name, records=gone.records, cure=cure)
        self._files.append(gone)
        self._share_cap()

    def _adopt(self, path: Path) -> SpoolFile | None:
        lock = claim(path.with_suffix(".lock"))
        if lock is None:
            return None
        try:
            file = SpoolFile(path, lock, secrets=self._secrets)
        except Unreadable as why:
            os.close(lock)
            self.unreadable += 1
            log.error("spool_file_is_unreadable", file=path.name, why=str(why))
            return None
        log.info("spool_file_is_adopted", file=path.name, records=file.records)
        return file

    def _share_cap(self) -> None:
        left = sum(file.used_bytes for file in self._files)
        self._own.cap(max(_SMALLEST_BYTES, self.cap_bytes - left))

    def _opened(self, file: SpoolFile, row: ChunkRow) -> Chunk | None:
        try:
            return Chunk(file, row.id, row.records, unframe(unseal(self._secrets, row.sealed)))
        except (Sealed, Unframed) as why:
            log.error("spool_chunk_is_set_aside", file=file.path.name, records=row.records, why=str(why))
            aside = SetAside(str(why), row.records, row.size, row.sealed)
            file.write((), [FileChange(row.id, row.records, refused=[aside])])
            return None

    def _new(self, accepted_at: float, frames: Sequence[bytes]) -> NewChunk:
        return NewChunk(accepted_at, len(frames), sum(map(len, frames)), seal(self._secrets, frames))

    def _refused(self, why: str, record: Record) -> SetAside:
        framed = frame(record)
        return SetAside(why, 1, len(framed), seal(self._secrets, [framed]), record.topic)

    def _change(self, settled: ChunkOutcome) -> FileChange:
        refused = [self._refused(why, one) for why, one in settled.refused]
        remaining = settled.remaining
        sealed = seal(self._secrets, remaining) if remaining else b""
        return FileChange(
            settled.chunk.id, settled.chunk.records, len(remaining), sum(map(len, remaining)), sealed, refused=refused
        )
