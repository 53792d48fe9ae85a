"""`wootstream tail`, `verify`, `openapi`: what the doors saw, what a signature lacks, how the doors are described."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated
from uuid import UUID

import orjson
import typer

from services.ingress import tail as arrivals
from services.ingress.diagnosis import examine, parse
from services.ingress.openapi import description
from services.ingress.tail import Arrival
from services.kernel import Clock, Refusal, Settings
from services.kernel.cli.environment import database, environment, installed, stores_named
from services.kernel.cli.terminal import print_json
from services.kernel.printable import printable, utc

_LONGEST_SECRET = 1_024  # as `stores add` takes one
_COLUMNS = "{at:<23} {store:<24} {door:<9} {what:<30} {rest}"


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command()(tail)
    app.command()(verify)
    app.command()(openapi)


def tail(
    store: Annotated[str | None, typer.Option(help="the store's short name; left out: every store")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="what was turned away, with the reason")] = False,
    last: Annotated[int, typer.Option(min=1, max=1_000, help="begin with so many that came before")] = 20,
    once: Annotated[bool, typer.Option("--once", help="end after those instead of waiting for more")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line")] = False,
) -> None:
    """What arrives at the doors, as it comes, until Ctrl-C: store, event, size and position; nothing personal."""
    try:
        asyncio.run(_tail(installed(), store, refused=refused, last=last, follow=not once, as_json=as_json))
    except KeyboardInterrupt:
        return


async def _tail(settings: Settings, slug: str | None, *, refused: bool, last: int, follow: bool, as_json: bool) -> None:
    async with database(settings) as pool:
        known = await stores_named(pool, None)
        only = (await stores_named(pool, slug))[slug] if slug is not None else None
        names = {organization: name for name, organization in known.items()}
        if refused:
            shown = arrivals.refused(pool, list(names), only, last=last, follow=follow, clock=Clock())
        else:
            shown = arrivals.accepted(settings, only, last=last, follow=follow)
        await _print(shown, names, as_json=as_json)


async def _print(shown: AsyncIterator[Arrival], names: dict[UUID, str], *, as_json: bool) -> None:
    async for arrival in shown:
        name = names.get(arrival.store, "?") if arrival.store else "-"
        if as_json:
            print_json(asdict(arrival) | {"slug": name})
        else:
            print(_line(arrival, name))
        sys.stdout.flush()


def _line(arrival: Arrival, name: str) -> str:
    rest = f"×{arrival.count}" if arrival.size is None else f"{arrival.size:>8,} B  {arrival.position}"  # noqa: RUF001
    at = utc(arrival.at) if arrival.at else "-"
    return _COLUMNS.format(at=at, store=name, door=arrival.door, what=printable(arrival.what), rest=rest)


def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="header lines, an empty line, the body")],
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", help="read the secret from standard input")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Say whether a saved request is rightly signed, and if not, which mistake its signature shows.

    For Chatwoot's webhooks and for the shops' Standard Webhooks. Ends with 1 where the signature is wrong.
    """
    if not secret_stdin:
        raise Refusal("give the secret on standard input, with --secret-stdin: an argument would be seen by others")
    secret = sys.stdin.read(_LONGEST_SECRET).strip("\r\n")
    if len(secret) >= _LONGEST_SECRET:
        raise Refusal(f"standard input holds more than a secret: {_LONGEST_SECRET:,} characters and more")
    if not secret:
        raise Refusal("standard input held no secret: echo $SECRET | wootstream verify --secret-stdin FILE")
    try:
        finding = examine(parse(file.read_bytes()), secret, Clock().now())
    except ValueError as error:
        raise Refusal(
            "the secret is no base64: an event secret begins with whsec_ and is shown once, at attaching"
        ) from error
    allowed = environment().webhook_skew_seconds
    if as_json:
        print_json({"right": finding.right, "told": finding.sentence, "age_seconds": finding.age_seconds})
    else:
        print(finding.sentence)
        if finding.age_seconds is not None:
            late = "" if abs(finding.age_seconds) <= allowed else f"; now it would be refused: {allowed} s are allowed"
            print(f"it was signed {finding.age_seconds} s ago{late}")
    raise typer.Exit(0 if finding.right else 1)


def openapi() -> None:
    """The doors as OpenAPI 3.1, on standard output."""
    document = description(version("wootstream"))
    print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
