"""Which Python make builds .venv with: the first one named, or another build of the same version that is far quicker.

A build without optimizations, as pyenv makes it unless it is told, takes a sixth more for the tests than Debian's.
"""

from __future__ import annotations  # a Python that is too old reads this file, too: make tells that

import subprocess
import sys

_MEASURE = """
import ensurepip, sys, timeit
made = '''class Made:
    def __init__(self, number): self.number = number
    def told(self, more): return [self.number, {"more": more}, str(more)]'''
times = timeit.repeat("for n in range(500): Made(n).told(n)", made, number=4, repeat=15)
print(*sys.version_info[:2], min(times))
"""
_ROUNDS = 3  # by turns: a machine that is slow for a while is so for all of them
_FAR = 0.9
_SECONDS = 20


def quickest(first: str, *others: str) -> str:
    """`first`, unless another is of its version, can make environments, and takes a tenth less time."""
    found: dict[str, tuple[tuple[str, str] | None, float]] = {}
    for python in (first, *others) * _ROUNDS:
        version, seconds = _measured(python)
        before = found.get(python, (version, seconds))
        found[python] = version, min(seconds, before[1])
    alike = {python: seconds for python, (version, seconds) in found.items() if version == found[first][0]}
    best = min(alike, key=lambda python: alike[python])
    return best if alike[best] < alike[first] * _FAR else first


def _measured(python: str) -> tuple[tuple[str, str] | None, float]:
    """Version and seconds; of no version and endless where it is not there, or cannot make environments."""
    try:
        ran = subprocess.run([python, "-c", _MEASURE], capture_output=True, text=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None, float("inf")
    major, minor, seconds = ran.stdout.split()
    return (major, minor), float(seconds)


if __name__ == "__main__":
    print(quickest(*sys.argv[1:]))
