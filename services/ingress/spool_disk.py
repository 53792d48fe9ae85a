"""What a spool file has beside it on the disk: the lock of its owner, and a reserve for a disk that is full."""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

_RESERVE_BYTES = 4 * 1024**2
_SCARCE_BYTES = 1024**2


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
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
