"""Where the servers of a session keep their data: in memory where there is room, for none of it outlives the session.

On a disk a copied database costs PostgreSQL three times the processor time, most of it the file system's.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory that is ours alone is made in it
_ROOM_BYTES = 4 * 1024**3  # five rooms of the tests took an eighth of it


def keep_in_memory(place: Path) -> None:
    """Let `place` lead into memory, unless it is there already; where memory is short it stays on the disk."""
    if place.exists() or not _has_room():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)  # it led into memory that a restart of the machine has emptied
    made = Path(tempfile.mkdtemp(prefix="wootstream-test-", dir=_MEMORY))
    try:
        place.symlink_to(made)
    except FileExistsError:  # another session was first
        made.rmdir()


def _has_room() -> bool:
    with suppress(FileNotFoundError):
        return bool(min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) >= _ROOM_BYTES)
    return False
