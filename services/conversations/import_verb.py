"""`wootstream import history`: conversations from before a store was attached."""

import asyncio
from typing import Annotated

import typer

from schemas.topics import WEBHOOKS
from services.conversations.asking import asking, stores_asked, told, told_account
from services.conversations.history import History
from services.kernel import Process, Refusal, Stop
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import progress
from services.kernel.kafka.topics import absent

_KAFKA_SECONDS = 15
import_ = typer.Typer(no_args_is_help=True, help="What was before a store was attached.")


@import_.callback()
def _import() -> None:
    """What was before a store was attached."""


@import_.command()
def history(
    store: Annotated[str, typer.Option(help="the store's short name; left out: every store")] = "",
    everything: Annotated[
        bool, typer.Option("--everything", help="all conversations anew, also what webhooks told: after a gap")
    ] = False,
) -> None:
    """Read conversations and messages through Chatwoot's API, at a fifth of the pace, into the topic of the webhooks.

    Ctrl-C and again goes on where it was. Messages are exact to the second; when a conversation was resolved is known
    only about, and reports say how many such moments they hold. Earlier resolutions of one that was reopened, and which
    replies a campaign sent, the API does not tell.
    """
    try:
        counts = asyncio.run(_run(store, everything=everything))
    except KeyboardInterrupt:
        raise Refusal("interrupted: the same command goes on where it was") from None
    for name, number in counts.items():
        print(f"{name}: {number} conversations read")


async def _run(store: str, *, everything: bool) -> dict[str, int]:
    async with asking(installed()) as process:
        await _reach_kafka(process)
        counts = {}
        for name, organization in (await stores_asked(process, store)).items():
            account = await told_account(process, name, organization)
            with told(name), progress(name) as tell:
                counts[name] = await History(process, account, everything=everything).run(tell)
    return counts


async def _reach_kafka(process: Process) -> None:
    try:
        async with asyncio.timeout(_KAFKA_SECONDS):
            await process.publisher.connect()
            if await absent(process.settings, [WEBHOOKS]):
                raise Stop(f"Kafka has no topic {WEBHOOKS.name}: make it with: wootstream topics")
    except TimeoutError as cause:
        raise Stop(f"Kafka does not answer ({process.publisher.trouble})") from cause
