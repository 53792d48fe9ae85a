"""Who comes first where cores are few, so that an attack takes time from nobody but by what it makes the system do.

A real attacker has a machine of his own; on ours, he and the honest sender would share two cores with the doors.
"""

import contextlib
import os

import psutil

_BEFORE_OTHERS, _BEHIND_OTHERS = -10, 10


def before_others(pid: int) -> bool:
    """Whether this process comes before others now, with all its threads; that takes root."""
    try:
        _weigh(pid, _BEFORE_OTHERS)
    except PermissionError:
        return False
    return True


def as_others(pid: int) -> None:
    """No more than others again."""
    _weigh(pid, 0)


def _weigh(pid: int, niceness: int) -> None:
    """Linux weighs threads: a process's number names its first one alone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for thread in psutil.Process(pid).threads():
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.setpriority(os.PRIO_PROCESS, thread.id, niceness)


def behind_others() -> None:
    """This process has a tenth of others' share where all want one; had it less, a busy machine would see no attack."""
    os.setpriority(os.PRIO_PROCESS, 0, _BEHIND_OTHERS)
