"""`deploy/restore FOLDER`: a backup in the place of the database, which then catches up from Kafka by itself.

The doors stay open: what they accept meanwhile lies in Kafka. The dump is restored beside the database and takes its
name in one moment; what was there before is kept under another name until you drop it. What people and stores were
added or changed since the backup must be done again: `stores apply` does it for a file of stores. What waited in a
spool then and is not on its disk any more is put back; what Kafka has of it already has no second effect.
"""

from __future__ import annotations  # Python 3.9, as older distributions have it

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from deploy.host.backup import UTC, Manifest, backups, checksum, verify
from deploy.host.compose import DOORS, WORKERS, CannotDo, Compose, database, say

_END_CONNECTIONS = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{0}' and pid <> pg_backend_pid()"
)
_KNOWN = "from db.migrate import files; print(len(files()) - 1)"  # 0000 is none that is remembered
# A file that is there is newer than its copy. A process takes up what others left when it starts.
_PUT_BACK = """
import os, pathlib, shutil, sqlite3, sys, tarfile
spool = pathlib.Path(os.environ["WOOTSTREAM_DATA_DIRECTORY"]) / "spool"
spool.mkdir(mode=0o700, exist_ok=True)
os.umask(0o077)
records = 0
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    for member in archive:
        path = spool / pathlib.Path(member.name).name
        content = archive.extractfile(member)
        if content is None or path.suffix != ".sqlite3" or path.exists():
            continue
        part = path.with_suffix(".restored")
        with part.open("wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        copy = sqlite3.connect(f"file:{part}?mode=ro&immutable=1", uri=True)
        held = sum(
            int(copy.execute(f"select total(records) from {table}").fetchone()[0]) for table in ("chunks", "refused")
        )
        copy.close()
        records += held
        part.rename(path) if held else part.unlink()
print(records)
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy/restore", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="a backup; left out: the latest below backups/")
    parser.add_argument(
        "--seconds", type=float, default=3600, help="how long to wait until it has caught up (%(default)g)"
    )
    chosen = parser.parse_args(arguments)
    before = restore(Compose(), chosen.folder or _latest(), seconds=chosen.seconds)
    print(before)
    return 0


def _latest() -> Path:
    found = backups(Path("backups"))
    if not found:
        raise CannotDo("there is no backup below backups/: name its folder")
    return found[-1][0]


def restore(compose: Compose, folder: Path, *, seconds: float) -> str:
    """The name under which the database of before is kept. All checks come before the first change. Raises CannotDo."""
    manifest = check(compose, folder)
    began = datetime.now(UTC)
    name, moment = database(), f"{began:%Y%m%d_%H%M%S}"
    new, before = f"{name}_restored_{moment}", f"{name}_before_{moment}"
    say(f"{folder}: made {manifest.made_at} by release {manifest.release}, checksums right")
    compose.psql(f'create database "{new}"')
    try:
        with (folder / "database.dump").open("rb") as file:
            compose.do("exec", "-T", "postgres", "pg_restore", "-U", "postgres", "-d", new, "--exit-on-error",
                       "--single-transaction", stdin=file)  # fmt: skip
    except CannotDo:
        compose.psql(f'drop database "{new}"')
        raise
    # Dumps of before PostgreSQL 18 hold no statistics: catching up would be planned as if every table were empty.
    compose.psql("analyze", database=new)
    say("restored beside the database that is in use; the workers stop")
    compose.do("stop", *WORKERS)
    _take_place(compose, new, name, before)
    say(f"in its place; what was there is kept as {before}")
    compose.do("run", "--rm", "--no-deps", "-T", "migrate")
    _forget_again(compose)
    compose.start(WORKERS)
    for door in DOORS:
        _put_back(compose, door, folder / f"spool-{door}.tar")
    answer = compose.audited(since=began, seconds=seconds)
    read = sum(line["consumed"] for line in answer["topics"])
    say(f"caught up: {read:,} records read, none missing, the audit is clean")
    say(f"when you need it no more: drop database {before}")
    return before


def check(compose: Compose, folder: Path) -> Manifest:
    """That the backup is whole, and the server there. Raises CannotDo."""
    manifest = Manifest.read(folder)
    for name, (wanted, _) in manifest.files.items():
        path = folder / Path(name).name
        if not path.exists() or checksum(path) != wanted:
            raise CannotDo(f"{path} is not what was backed up: its checksum differs; choose another backup")
    if verify(compose, folder / "database.dump") != manifest.tables:
        raise CannotDo(f"{folder} lacks tables that it had: choose another backup")
    known = max(
        int(compose.do("exec", "-T", DOORS[0], "python", "-c", _KNOWN)),
        # Where an upgrade went back, what runs stands beside more than it knows.
        int(compose.psql("select count(*) from wootstream.migrations", database=database())),
    )
    if manifest.migrations > known:
        raise CannotDo(
            f"{folder} was made by release {manifest.release} with {manifest.migrations} migrations, and what runs here"
            f" knows {known}: deploy/upgrade to that release first, or choose another backup"
        )
    return manifest


def _take_place(compose: Compose, new: str, name: str, before: str) -> None:
    """Two renames in one transaction. New connections are refused first, or a door would be back between the two."""
    compose.psql(f'alter database "{name}" allow_connections false')
    try:
        compose.psql(_END_CONNECTIONS.format(name))
        compose.psql(
            f'begin; alter database "{name}" rename to "{before}"; alter database "{new}" rename to "{name}"; commit'
        )
    except CannotDo:
        compose.psql(f'alter database "{name}" allow_connections true')
        raise
    compose.psql(f'alter database "{before}" allow_connections true')


def _put_back(compose: Compose, door: str, copy: Path) -> None:
    """What waited in this door's spool; the other door answers while this one starts anew. Raises CannotDo."""
    if not copy.exists():
        return
    compose.start([door])
    with copy.open("rb") as file:
        records = int(compose.do("exec", "-T", door, "python", "-c", _PUT_BACK, stdin=file))
    if records:
        compose.do("restart", door)
        compose.start([door])
        say(f"{door}: {records:,} records that waited in its spool are back, and go out by themselves")


def _forget_again(compose: Compose) -> None:
    """People who were forgotten after the backup was made, before anything reads of them again."""
    code, _, said = compose.verb("privacy", "replay")
    if code:
        raise CannotDo(
            f"`privacy replay` failed, and people who were forgotten may be back: {said.strip()}; "
            "the workers stand still: do it again, then docker compose up --detach --wait"
        )
