"""Whose account a server runs under. PostgreSQL refuses to run as root, so root lends it `nobody`'s."""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ENTER = stat.S_IXOTH
_READ = stat.S_IROTH


@dataclass(frozen=True, slots=True)
class OsAccount:
    """A user id and group id, or our own."""

    uid: int | None = None
    gid: int | None = None

    def as_popen(self) -> dict[str, Any]:
        """The keywords of subprocess that start a process under this account."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give the file or empty directory to this account, and let it pass through the directories above."""
        if self.uid is None or self.gid is None:
            return
        os.chown(path, self.uid, self.gid)
        for parent in path.absolute().parents:
            _allow(parent, _ENTER)

    def admit(self, tree: Path) -> None:
        """Let this account read a directory of programs: a strict umask may have kept it for root alone."""
        if self.uid is None or not tree.exists():
            return
        for parent in tree.absolute().parents:
            _allow(parent, _ENTER)
        for path in (tree, *tree.rglob("*")):
            if not path.is_symlink():
                runs = path.stat().st_mode & stat.S_IXUSR
                _allow(path, _READ | _ENTER if runs else _READ)


OURS = OsAccount()


def unprivileged() -> OsAccount:
    """Our own account, or `nobody`'s when we are root."""
    if os.geteuid() != 0:
        return OURS
    nobody = pwd.getpwnam("nobody")
    return OsAccount(uid=nobody.pw_uid, gid=grp.getgrgid(nobody.pw_gid).gr_gid)


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)
