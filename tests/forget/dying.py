"""An erasure that is killed at a moment of its choice: `python -m tests.forget.dying STORE WHO STEP begun|worked`.

`begun`: as the step begins. `worked`: when its work and its proof are done and not committed. `any whenever`: whoever
started it kills it, once it has said that it begins.
"""

import asyncio
import os
import signal
import sys
import uuid
from typing import Any

from prometheus_client import CollectorRegistry

from db.privacy import requests
from services.kernel import Chatwoot, Process
from services.kernel.cli.environment import installed
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.answering import Answering
from tests.services.contacts.api import ContactsDouble

BEGINS = "begins"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(wanted: str, moment: str) -> None:
    finish, begin = requests.step_done, erasure.STEPS.get(wanted)

    async def done(conn: Any, store: uuid.UUID, request: uuid.UUID, step: str, proof: dict[str, Any]) -> None:
        await finish(conn, store, request, step, proof)
        if step == wanted and moment == "worked":
            _die()

    async def begun(_erasure: erasure.Erasure, _name: str) -> None:
        _die()

    requests.step_done = done
    if begin and moment == "begun":
        erasure.STEPS[wanted] = begun


async def _main(store: str, who: str, step: str, moment: str) -> None:
    _arm(step, moment)
    settings = installed()
    process = Process(settings)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, process.clock, CollectorRegistry(), Answering(ContactsDouble().answer))
    connecting = asyncio.create_task(process.publisher.connect())
    if moment == "whenever":
        print(BEGINS, flush=True)
    await erasure.carry_on(await erasure.begin(process, uuid.UUID(store), meant(who)))
    connecting.cancel()
    await process.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
