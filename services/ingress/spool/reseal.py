"""Spools that no process holds, sealed anew with the key that seals now; a living process's own it drains itself."""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from services.ingress.spool.codec import PLACE
from services.ingress.spool.file import claim
from services.ingress.spool.set_aside import DamagedFile, files, reading
from services.kernel.errors import Sealed, Stop
from services.kernel.secrets import Secrets

_CHUNKS = 50  # in one transaction, of up to 256 KiB each
_KEY = "select key_id from about"
_NEXT = {
    "chunks": "select id, sealed from chunks where id > ? order by id limit ?",
    "refused": "select id, sealed from refused where id > ? order by id limit ?",
}
_PUT = {
    "chunks": "update chunks set sealed = ? where id = ?",
    "refused": "update refused set sealed = ? where id = ?",
}
_DONE = "update about set key_id = ?"


def spools_by_key(directory: Path) -> Counter[str]:
    """How many files each key sealed. Raises Stop."""
    return Counter(key for path in files(directory) if (key := _key_of(path)))


def reseal_spools(directory: Path, secrets: Secrets, tell: Callable[[int, int], None]) -> None:
    """A file is said to be the new key's once all of it is; cut short, the rest is done the next time. Raises Stop."""
    paths = files(directory)
    for number, path in enumerate(paths, 1):
        if _key_of(path) not in (None, secrets.key_id):
            _reseal(path, secrets)
        tell(number, len(paths))


def _key_of(path: Path) -> str | None:
    """None for a file that is gone by now, or that its process is just beginning."""
    row = None
    try:
        with reading(path), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            row = db.execute(_KEY).fetchone()
    except DamagedFile as damage:
        raise Stop(str(damage)) from damage
    except sqlite3.Error as error:
        raise Stop(f"{path} cannot be read ({error}): ask as the user that runs the ingress") from error
    return str(row[0]) if row else None


def _reseal(path: Path, secrets: Secrets) -> None:
    lock = claim(path.with_suffix(".lock"))
    if lock is None:
        return
    try:
        if not path.exists():  # drained and removed since it was listed
            path.with_suffix(".lock").unlink(missing_ok=True)
            return
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            whole = [_reseal_table(db, name, secrets) for name in _NEXT]
            if all(whole):
                db.execute(_DONE, (secrets.key_id,))
    except sqlite3.Error as error:
        raise Stop(f"{path} cannot be sealed anew ({error}): see that the disk has room, and run it again") from error
    finally:
        os.close(lock)


def _reseal_table(db: sqlite3.Connection, name: str, secrets: Secrets) -> bool:
    """Whether every row could be opened."""
    last, whole = 0, True
    while rows := db.execute(_NEXT[name], (last, _CHUNKS)).fetchall():
        db.execute("begin immediate")
        for id_, sealed in rows:
            try:
                db.execute(_PUT[name], (secrets.seal_bytes(secrets.open_bytes(sealed, place=PLACE), place=PLACE), id_))
            except Sealed:
                whole = False
        db.execute("commit")
        last = rows[-1][0]
    return whole
