"""`wootstream run` as a process with an address that stays, on topics that nobody used before."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from local.stack.machine.ports import HOST, free_ports
from schemas.topics import ALL
from services.control.ledger.audit import audit
from services.ingress.spool.status import records_in
from services.kernel.kafka.topics import ensure_topics
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker
from tests.eventually import eventually
from tests.topics import delete_topics

# Recorded webhooks were sent long before.
_SKEW_SECONDS = 86_400
_SETTLE_SECONDS = 900.0


@asynccontextmanager
async def topics_of_its_own(installation: Installation) -> AsyncIterator[None]:
    """The installation's topics, new at the start and gone at the end: records of another database are strangers."""
    await delete_topics(installation.settings, ALL)
    await ensure_topics(installation.settings, ALL)
    yield
    await delete_topics(installation.settings, ALL)


def run(
    installation: Installation, *names: str, instance: str | None = None, more: Mapping[str, str] | None = None
) -> Worker:
    """These services, none named: all. `more` goes into its environment."""
    (port,) = free_ports(1)
    settings = installation.settings.model_copy(update={"http_port": port, "webhook_skew_seconds": _SKEW_SECONDS})
    log = installation.settings.data_directory / f"run-{'-'.join(names)}.log"
    return Worker(("services.cli", "run", *names), settings, log, instance, more or {})


@asynccontextmanager
async def sender(door: Worker) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this door, whether it is open just now or not."""
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{door.settings.http_port}", timeout=10) as client:
        yield client


async def nothing_in_flight(installation: Installation, *, seconds: float = _SETTLE_SECONDS) -> None:
    """Wait until no spool holds anything any more, then until every group has read what the logs hold."""
    spool = installation.settings.data_directory / "spool"

    async def all_read() -> bool:
        return not records_in(spool) and (await audit(installation.settings)).in_flight == 0

    await eventually(all_read, seconds=seconds)
