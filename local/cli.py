"""`wootstream local | replay | demo`: for people who try it out, and for scripts; a production image has none of it."""

import asyncio
import itertools
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from local.demo import show
from local.replay import recording, replay
from local.replay.recording import NotARecording
from local.replay.replay import Plan
from local.replay.webhook_sender import accepted
from local.stack import Unavailable
from local.stack.cli import app as local
from local.stack.cli import fetching
from local.stack.packages.jars import FetchProgress as Fetching
from services.kernel.cli.environment import environment, installed
from services.kernel.cli.terminal import Json, print_json, progress
from services.kernel.errors import Refusal, Stop
from services.kernel.settings import Settings

_GAVE_UP = 130  # as shells say of what SIGINT ended
_stderr = Console(stderr=True)


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(local, name="local")
    app.command(name="replay")(replay_)
    app.command()(demo)


def replay_(
    directory: Annotated[Path, typer.Argument(help="a folder with webhooks.jsonl and stores.json, or of such folders")],
    shuffle: Annotated[bool, typer.Option("--shuffle", help="In random order.")] = False,
    repeat: Annotated[float, typer.Option(min=0, max=1, help="Share of the webhooks that is sent twice.")] = 0.0,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Webhooks a second; left out: as fast as it goes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="For the same order again.")] = None,
    url: Annotated[str | None, typer.Option(help="The ingress; left out: WOOTSTREAM_PUBLIC_URL.")] = None,
    as_json: Json = False,
) -> None:
    """Attach a recording's stores and post its account webhooks, signed anew, through the HTTP door.

    Exit code 1 if any was refused. What was sent before Ctrl-C stays sent; the same again changes nothing.
    """
    settings = installed(kafka=False)
    plan = Plan(random.randrange(2**32) if seed is None else seed, shuffle, repeat, rate)
    try:
        chosen = plan.arranged(recording.deliveries(directory))
        doors, sent = asyncio.run(replay.attach(settings, directory)), itertools.count(1)
    except NotARecording as reason:
        raise Refusal(str(reason)) from reason
    with progress("webhooks") as tell:
        moved = lambda: tell(next(sent), len(chosen))  # noqa: E731
        answers = asyncio.run(replay.post(url or settings.public_url, doors, chosen, plan, moved))
    taken, statuses = accepted(answers), {str(status): count for status, count in sorted(answers.items())}
    summary = {"accepted": taken, "refused": len(chosen) - taken, "answers": statuses, "seed": plan.seed}
    if as_json:
        print_json(summary)
    else:
        print(", ".join(f"{name} {value}" for name, value in summary.items()))
    raise typer.Exit(0 if taken == len(chosen) else 1)


def demo(
    for_: Annotated[float, typer.Option("--for", min=0, help="Seconds of traffic; 0: until Ctrl-C.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0, help="Recorded webhooks a second; 0: as fast as it goes.")] = 40.0,
) -> None:
    """Recorded traffic, a simulated shop and its visitors through everything, then the figures and the audit.

    Exit code 0 only if the audit is clean. Ctrl-C ends the traffic early; a second one gives up.
    """
    code = 0
    try:
        with fetching() as fetched:
            code = asyncio.run(_interruptible(environment(), for_, rate or None, fetched))
    except* (Refusal, Unavailable, Stop) as reasons:  # alone, or out of a task group
        raise Refusal("; ".join(str(one) for one in _leaves(reasons))) from reasons
    raise typer.Exit(code)


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for one in group.exceptions:
        yield from _leaves(one) if isinstance(one, BaseExceptionGroup) else (one,)


async def _interruptible(settings: Settings, seconds: float, per_second: float | None, fetching: Fetching) -> int:
    """The first Ctrl-C ends the traffic, or all where none flows yet; the next gives up. Nothing stays behind."""
    wish = show.Wish(seconds, per_second, random.randrange(2**32), asyncio.Event(), asyncio.Event())
    task = asyncio.create_task(show.run(settings, wish, fetching))

    def interrupted() -> None:
        if wish.sending.is_set() and not wish.enough.is_set():
            wish.enough.set()
        else:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted)
    try:
        return await task
    except asyncio.CancelledError:
        _stderr.print("given up; nothing of it runs any more, and what was accepted is kept")
        return _GAVE_UP
