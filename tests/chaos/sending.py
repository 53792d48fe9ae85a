"""A process that only sends, to be killed: `python -m tests.chaos.sending` with the settings in the environment."""

import asyncio
import sys

from services.contacts.app import add_to
from services.kernel import Settings, run

if __name__ == "__main__":
    sys.exit(asyncio.run(run(Settings(), [add_to])))
