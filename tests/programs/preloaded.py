"""What processes of the tests find loaded (`forked`): every service, and what `wootstream` loads to run them."""

import importlib
import sys

import uvloop  # noqa: F401 - on which it runs them

from services import cli
from services.kernel import run  # noqa: F401 - which it does by

for _module in cli.SERVICES.values():
    importlib.import_module(_module)
# Each process executes it, as `python -m` does; runpy warns of one that is loaded already.
del sys.modules[cli.__name__]
