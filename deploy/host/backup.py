"""`deploy/backup`: the database and the spools, each verified; the keys elsewhere, for they open what lies here.

Kafka is not backed up. After a restore the database is behind it and catches up by itself, as far back as topics are
kept: an older backup than that cannot be made whole again.
"""

from __future__ import annotations  # Python 3.9, as older distributions have it

import argparse
import hashlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

from deploy.host.compose import DOORS, CannotDo, Compose, database, env, say

UTC = timezone.utc  # noqa: UP017 - datetime.UTC came with Python 3.11
_NAME = "%Y-%m-%dT%H%M%SZ"
_METRICS = Path("metrics/wootstream_backup.prom")
_PIECE_BYTES = 1024 * 1024
_NEVER_PRUNED = 3  # a clock that jumped must not take the last ones away
# A spool is copied by SQLite itself: what lies on the disk between two of its commits is no spool.
_COPY_SPOOLS = """
import os, pathlib, shutil, sqlite3, sys, tarfile
data = pathlib.Path(os.environ["WOOTSTREAM_DATA_DIRECTORY"])
copies = data / "spool-copy"
shutil.rmtree(copies, ignore_errors=True)
copies.mkdir(mode=0o700)
try:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for path in sorted((data / "spool").glob("*.sqlite3")):
            here = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            there = sqlite3.connect(copies / path.name)
            here.backup(there)
            there.close()
            here.close()
            archive.add(copies / path.name, arcname=path.name)
finally:
    shutil.rmtree(copies)
"""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: of each file its SHA-256 and its size; which migrations, made by which release, when."""

    made_at: str
    release: str
    migrations: int
    tables: int
    files: dict[str, tuple[str, int]]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises CannotDo."""
        try:
            return cls(**json.loads((folder / "manifest.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise CannotDo(f"{folder} is no whole backup ({error}): choose another") from error


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy/backup", description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("backups"), help="folder of the backups (default: %(default)s)")
    parser.add_argument(
        "--keys", type=Path, help="also copy .env and secrets/ there: on another disk, in another's hands"
    )
    parser.add_argument("--keep-days", type=int, default=14, help="forget older ones (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    folder = backup(Compose(), chosen.to)
    if chosen.keys:
        say(f"keys in {keep_keys(chosen.keys, beside=chosen.to)}")
    else:
        say("the keys are not in it: keep .env and secrets/ elsewhere (--keys), or nothing sealed can be opened again")
    for old in prune(chosen.to, days=chosen.keep_days):
        say(f"forgot {old}")
    print(folder)
    return 0


def backup(compose: Compose, to: Path) -> Path:
    """Make one, verify it, tell the metrics; the folder has its name only when it is whole. Raises CannotDo."""
    began, now = time.monotonic(), datetime.now(UTC)
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial, whole = to / f".{now:{_NAME}}", to / f"{now:{_NAME}}"
    partial.mkdir(mode=0o700)
    try:
        _dump(compose, partial / "database.dump")
        tables = verify(compose, partial / "database.dump")
        for door in DOORS:
            _copy_spools(compose, door, partial / f"spool-{door}.tar")
        migrations = int(compose.psql("select count(*) from wootstream.migrations", database=database()))
        sums = {path.name: (checksum(path), path.stat().st_size) for path in sorted(partial.iterdir())}
        release = env().get("WOOTSTREAM_VERSION", "unknown")
        manifest = Manifest(now.isoformat(timespec="seconds"), release, migrations, tables, sums)
        (partial / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        partial.rename(whole)
    except BaseException:
        shutil.rmtree(partial)
        raise
    size = sum(size for _, size in sums.values())
    _tell_metrics(now.timestamp(), size, time.monotonic() - began)
    say(f"{whole}: {size:,} bytes, {tables} tables, {migrations} migrations, verified")
    return whole


def _dump(compose: Compose, path: Path) -> None:
    with _private(path) as file:
        compose.do("exec", "-T", "postgres", "pg_dump", "-U", "postgres", "-d", database(), "-Fc", stdout=file)


def verify(compose: Compose, dump: Path) -> int:
    """How many tables' rows the dump holds, by pg_restore's own reading. Raises CannotDo where it is none of ours."""
    with dump.open("rb") as file:
        listed = compose.do("exec", "-T", "postgres", "pg_restore", "--list", stdin=file)
    rows = [line for line in listed.splitlines() if " TABLE DATA " in line]
    if not any(" wootstream ledger " in line for line in rows):
        raise CannotDo(f"{dump} holds no ledger: it is no dump of this system")
    return len(rows)


def _copy_spools(compose: Compose, door: str, path: Path) -> None:
    if not compose.do("ps", "--quiet", "--status=running", door).strip():
        say(f"{door} does not run: its spool stays in its volume and is not in the backup")
        return
    with _private(path) as file:
        compose.do("exec", "-T", door, "python", "-c", _COPY_SPOOLS, stdout=file)
    try:
        with tarfile.open(path) as archive:
            archive.getmembers()
    except tarfile.TarError as error:
        raise CannotDo(f"the copy of the spool of {door} cannot be read ({error})") from error


def keep_keys(to: Path, *, beside: Path) -> Path:
    """.env and secrets/ as one archive for its owner alone. Raises CannotDo where it would lie beside what it opens."""
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    if to.resolve() == beside.resolve() or beside.resolve() in to.resolve().parents:
        raise CannotDo(
            f"{to} is where the backups are: whoever takes them away would have the keys too; name another place"
        )
    path = to / f"keys-{datetime.now(UTC):{_NAME}}.tar"
    with _private(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
        for part in (".env", "secrets"):
            archive.add(part)
    return path


def prune(folder: Path, *, days: int) -> list[Path]:
    """Delete what is older, but never the last few; what was deleted."""
    before = datetime.now(UTC) - timedelta(days=days)
    old = [path for path, made_at in backups(folder)[:-_NEVER_PRUNED] if made_at < before]
    for path in old:
        shutil.rmtree(path)
    return old


def backups(folder: Path) -> list[tuple[Path, datetime]]:
    """The whole ones, the oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            found.append((path, datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)))
        except ValueError:
            continue
    return sorted(found)


def checksum(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file that nobody else may read, on the disk when this ends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _tell_metrics(made_at: float, size: int, seconds: float) -> None:
    """For node_exporter's textfile collector: an alert says when the last backup is too old."""
    _METRICS.parent.mkdir(exist_ok=True)
    lines = []
    for name, help_, value in (
        ("timestamp_seconds", "When the last whole backup was made", made_at),
        ("bytes", "Its size", size),
        ("duration_seconds", "How long it took", seconds),
    ):
        metric = f"wootstream_backup_{name}"
        lines += [f"# HELP {metric} {help_}", f"# TYPE {metric} gauge", f"{metric} {value}"]
    new = _METRICS.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.chmod(0o644)
    new.replace(_METRICS)
