"""`wootstream stores rotate`."""

import asyncio
from dataclasses import asdict
from typing import Annotated, cast, get_args

import typer

from services.control.stores.rotate import Rotated, Rotation, What
from services.control.stores.site import opened
from services.kernel import Refusal, Retryable, Sealed, Settings
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, print_json


def rotate(
    slug: Annotated[str, typer.Argument(help="the store's short name")],
    what: Annotated[str, typer.Option(help=f"one of {', '.join(get_args(What))}")],
    now: Annotated[bool, typer.Option("--now", help="it leaked: the old one is refused within 10 s")] = False,
    as_json: Json = False,
) -> None:
    """Replace a secret while the store works; cut short, the same again goes on. Exit 1 while it waits for a delivery.

    Without --now nothing is lost in between; with it, what comes with the old secret is refused and has to be imported.
    """
    if what not in get_args(What):
        raise Refusal(f"there is no secret {what}; there are: {', '.join(get_args(What))}")
    try:
        done = asyncio.run(_rotate(installed(kafka=False), slug, cast("What", what), now=now))
    except (Retryable, Sealed) as reason:
        raise Refusal(str(reason)) from reason
    if as_json:
        print_json(asdict(done))
    else:
        print(f"{done.sentence}" + (f"\n{done.secret} (told this once)" if done.secret else ""))
    raise typer.Exit(0 if done.finished else 1)


async def _rotate(settings: Settings, slug: str, what: What, *, now: bool) -> Rotated:
    async with opened(settings) as site, site.alone():
        rotation = Rotation(site.pool, site.vault, site.chatwoot, site.clock, settings.public_url, slug, now, say=_say)
        return await rotation.rotate(what)


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
