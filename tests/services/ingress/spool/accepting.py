"""A process that only accepts, to be killed: it says the id of each record once `keep` has returned.

`python -m tests.services.ingress.spool.accepting TOPIC RECORDS` with the settings in the environment. RECORDS 0 accepts
nothing and only drains.
"""

import asyncio
import itertools
import sys
import uuid

import uvloop

from schemas.topics import Topic
from services.ingress.app import acceptance_of
from services.kernel import Process, Settings
from services.kernel.telemetry.logs import configure_logs, quiet_client_logs
from tests.services.ingress.spool.bench import Bench

_SENDERS = 16
_PAUSE_SECONDS = 0.02  # below what the reader of the pipe can take


async def accept(topic: str, records: int) -> int:
    process = Process(Settings())
    acceptance = acceptance_of(process)
    bench = Bench(process.settings, Topic(topic, 1))
    numbers = itertools.islice(itertools.count(), records)

    async def sender(key: str) -> None:
        for _ in numbers:
            await bench.keep(acceptance, key, value=uuid.uuid4().bytes * 100)
            print(bench.kept.pop(), flush=True)
            await asyncio.sleep(_PAUSE_SECONDS)

    serving = asyncio.create_task(process.serve())
    await asyncio.gather(*(sender(f"key-{number}") for number in range(_SENDERS)))
    return await serving


if __name__ == "__main__":
    configure_logs("info", "json")  # to stderr: stdout is for what was promised
    quiet_client_logs()
    sys.exit(uvloop.run(accept(sys.argv[1], int(sys.argv[2]))))
