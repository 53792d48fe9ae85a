"""A file system of a few megabytes, to be filled to the last byte; only root can mount one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FILLER = "filler"


@contextmanager
def mounted(directory: Path, *, megabytes: int) -> Iterator[Path]:
    """Skips the test where nothing may be mounted."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(directory)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


def fill(directory: Path) -> None:
    """Take what the disk has left, to the last byte."""
    with (directory / _FILLER).open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(directory).free == 0


def give_back(directory: Path) -> None:
    """What `fill` took."""
    (directory / _FILLER).unlink()
