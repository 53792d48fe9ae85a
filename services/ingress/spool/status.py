"""What waits in the spools of a directory, how fast it grows and how fast it drains; read beside living processes."""

import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingress.spool.set_aside import Aside, DamagedFile, reading

_RECENT_SECONDS = 600.0
_LOOK = """
select coalesce(sum(records), 0), min(accepted_at), coalesce(max(id), 0),
  coalesce(sum(records) filter (where id > :after), 0),
  coalesce(sum(length(sealed)) filter (where accepted_at > :since), 0),
  min(accepted_at) filter (where accepted_at > :since),
  (select (page_count - freelist_count) * page_size
    from pragma_page_count(), pragma_freelist_count(), pragma_page_size()),
  (select count(*) from refused)
from chunks
"""


@dataclass(frozen=True, slots=True)
class FileLook:
    """One file at one moment; times in seconds since 1970."""

    records: int
    oldest_at: float | None
    last_id: int
    new_records: int  # beyond the last id of the look before
    recent_bytes: int
    recent_since: float | None
    used_bytes: int
    refused: int


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """All files together."""

    files: int
    records: int
    refused: int  # set aside: Kafka never takes them, or they cannot be opened
    set_aside: Sequence[Aside]
    oldest_seconds: float | None
    used_bytes: int
    limit_bytes: int  # the cap, or less where the disk gives less
    grows_bytes_per_second: float
    drains_records_per_second: float
    hours_left: float | None  # None: it does not grow
    drained_in_seconds: float | None  # None: nothing drains it


def look(directory: Path, before: dict[Path, FileLook], *, now: float) -> dict[Path, FileLook]:
    """Each file as it is now, with what is new in it since `before`."""
    return dict(_looks(sorted(directory.glob("*.sqlite3")), before, now))


def records_in(directory: Path) -> int:
    """How many records wait in it at this moment."""
    return sum(one.records for one in look(directory, {}, now=time.time()).values())


def _looks(paths: Iterable[Path], before: dict[Path, FileLook], now: float) -> Iterator[tuple[Path, FileLook]]:
    for path in paths:
        after = before[path].last_id if path in before else 0
        # A damaged file is among what is set aside.
        with suppress(DamagedFile), reading(path), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            seen: tuple[Any, ...] = db.execute(_LOOK, {"after": after, "since": now - _RECENT_SECONDS}).fetchone()
            yield path, FileLook(*seen)


def status(
    directory: Path,
    before: dict[Path, FileLook],
    after: dict[Path, FileLook],
    asides: Sequence[Aside],
    *,
    now: float,
    seconds: float,
    cap_bytes: int,
) -> SpoolStatus:
    """From two looks, so many seconds apart."""
    records = sum(one.records for one in after.values())
    gone = sum(one.records for one in before.values()) + sum(one.new_records for one in after.values()) - records
    oldest = min((one.oldest_at for one in after.values() if one.oldest_at), default=None)
    used = sum(one.used_bytes for one in after.values())
    limit = min(cap_bytes, used + shutil.disk_usage(directory).free)
    recent = min((one.recent_since for one in after.values() if one.recent_since), default=now)
    grows = sum(one.recent_bytes for one in after.values()) / max(seconds, now - recent)
    return SpoolStatus(
        files=len(after),
        records=records,
        refused=sum(one.refused for one in after.values()),
        set_aside=asides,
        oldest_seconds=now - oldest if oldest else None,
        used_bytes=used,
        limit_bytes=limit,
        grows_bytes_per_second=grows,
        drains_records_per_second=gone / seconds,
        hours_left=(limit - used) / grows / 3600 if grows and not gone else None,
        drained_in_seconds=records / (gone / seconds) if gone else None,
    )
