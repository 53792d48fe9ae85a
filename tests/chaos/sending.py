"""A process that only sends, to be killed: `python -m tests.chaos.sending` with the settings in the environment."""

import os
import sys

import httpx
import uvloop

from services.contacts.app import add_to
from services.kernel import Process, Settings
from services.kernel.run import run


def bear_a_name(process: Process) -> None:
    """Chatwoot's stand-in sees which of several processes calls."""
    pools = process.chatwoot._pools
    nameless = pools._client

    def named() -> httpx.AsyncClient:
        client = nameless()
        client.headers["x-sender"] = str(os.getpid())
        return client

    pools._client = named  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(uvloop.run(run(Settings(), [add_to, bear_a_name])))
