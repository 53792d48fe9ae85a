"""Which Kafka and PostgreSQL: those the environment names, else the embedded ones, else (STACK=docker) containers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from local.stack import embedded
from local.stack.embedded import Stack, quiet
from local.stack.errors import Unavailable
from local.stack.packages.jars import FetchProgress
from local.stack.servers import kafka, postgres
from local.stack.servers.pair import KAFKA, POSTGRES

StackKind = Literal["embedded", "docker"]

_QUESTIONS = 10
_AGAIN_SECONDS = 0.1


@asynccontextmanager
async def resolve(
    directory: Path,
    *,
    kafka_bootstrap_servers: str | None = None,
    database_url: str | None = None,
    kind: StackKind = "embedded",
    fresh: bool = False,
    over_tls: bool = False,
    progress: FetchProgress = quiet,
) -> AsyncIterator[Stack]:
    """A stack for the length of a `with`; what it started itself it also stops. Raises Unavailable.

    `directory` is the embedded stack's; `fresh` forgets what an earlier one left there.
    """
    await _check_given(kafka_bootstrap_servers, database_url)
    given = {KAFKA: kafka_bootstrap_servers, POSTGRES: database_url}
    needed = [part for part in sorted(given) if given[part] is None]
    if not needed:
        yield Stack(kafka=kafka_bootstrap_servers or "", database_url=database_url or "")
    elif kind == "docker":
        if over_tls:
            raise Unavailable("STACK_TLS is for the packages' servers: unset STACK=docker")
        from local.stack.containers import contained

        async with contained() as stack:
            yield Stack(kafka=kafka_bootstrap_servers or stack.kafka, database_url=database_url or stack.database_url)
    else:
        async with embedded.borrowed(
            directory, parts=needed, fresh=fresh, over_tls=over_tls, progress=progress
        ) as found:
            how = {} if given[KAFKA] else kafka.security(directory.absolute())
            yield Stack(given[KAFKA] or found[KAFKA], given[POSTGRES] or found[POSTGRES], how)


async def _check_given(kafka_bootstrap_servers: str | None, database_url: str | None) -> None:
    if kafka_bootstrap_servers and not await _one_answers(lambda: kafka.answers(kafka_bootstrap_servers)):
        raise Unavailable(
            f"no Kafka answers at KAFKA_BOOTSTRAP_SERVERS={kafka_bootstrap_servers}: start it, or unset this"
        )
    if database_url and not await _one_answers(lambda: postgres.answers(database_url)):
        raise Unavailable("no PostgreSQL answers at DATABASE_URL: start it, or unset this")


async def _one_answers(ask: Callable[[], Awaitable[bool]]) -> bool:
    """Whether one of several questions is answered: a machine that starts other servers can be late for the first ones.

    A port that nobody holds is known after a second, a server that only hesitates has twenty.
    """
    for number in range(_QUESTIONS):
        if number:
            await asyncio.sleep(_AGAIN_SECONDS)
        if await ask():
            return True
    return False
