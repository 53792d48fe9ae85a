"""`deploy/setup`, `backup`, `restore` and `upgrade`: what a person can cure is one sentence and exit code 2."""

from __future__ import annotations  # Python 3.9, as older distributions have it

import sys

from deploy.host import backup, prepare, restore, upgrade
from deploy.host.compose import CannotDo

_VERBS = {"setup": prepare.main, "backup": backup.main, "restore": restore.main, "upgrade": upgrade.main}


def main(arguments: list[str]) -> int:
    try:
        return _VERBS[arguments[0]](arguments[1:])
    except CannotDo as reason:
        print(f"{arguments[0]}: {reason}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
