"""A process that only sends, to be killed: `python -m tests.chaos.sending` with the settings in the environment."""

import os
import sys

import uvloop

from services.contacts.app import add_to
from services.kernel import Process, Settings
from services.kernel.run import run


def bear_a_name(process: Process) -> None:
    """Chatwoot's stand-in sees which of several processes calls."""
    process.chatwoot._client.headers["x-sender"] = str(os.getpid())


if __name__ == "__main__":
    sys.exit(uvloop.run(run(Settings(), [add_to, bear_a_name])))
