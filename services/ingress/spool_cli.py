"""`wootstream spool status`: what waits for Kafka on this machine, and how long there is room."""

import sqlite3
import time
from dataclasses import asdict
from typing import Annotated

import typer

from services.ingress.spool_status import Status, look
from services.ingress.spool_status import status as reckon
from services.kernel import Clock, Refusal, Settings
from services.kernel.installation import environment
from services.kernel.terminal import Json, print_json, show

app = typer.Typer(help="What the ingress accepted while Kafka was away.", no_args_is_help=True)


@app.callback()
def _spool() -> None:
    """What the ingress accepted while Kafka was away."""


@app.command()
def status(
    seconds: Annotated[float, typer.Option(min=0.1, help="how long to watch it drain")] = 1.0,
    as_json: Json = False,
) -> None:
    """How many records wait, since when, how much room is left at the present rate, and when it will be drained.

    Reads WOOTSTREAM_DATA_DIRECTORY/spool beside the running ingress; ask on the machine, or in the pod, where it runs.
    """
    found = _watch(environment(), seconds)
    if as_json:
        print_json(asdict(found))
    else:
        show(("", ""), _lines(found))


def _watch(settings: Settings, seconds: float) -> Status:
    directory, clock = settings.data_directory / "spool", Clock()
    if not directory.is_dir():
        raise Refusal(f"there is no spool in {directory}: no ingress ran with this WOOTSTREAM_DATA_DIRECTORY")
    try:
        before = look(directory, {}, now=clock.now().timestamp())
        began = clock.monotonic()
        time.sleep(seconds)
        now = clock.now().timestamp()
        after = look(directory, before, now=now)
        took = clock.monotonic() - began
    except sqlite3.DatabaseError as error:
        raise Refusal(
            f"a spool in {directory} cannot be read ({error}): ask as the user that runs the ingress"
        ) from error
    return reckon(directory, before, after, now=now, seconds=took, cap_bytes=settings.spool_bytes)


def _lines(found: Status) -> list[tuple[str, str]]:
    oldest, left, drained = found.oldest_seconds, found.hours_left, found.drained_in_seconds
    return [
        ("records waiting", f"{found.records:,}" + (f", {found.refused} set aside" if found.refused else "")),
        ("oldest", f"{oldest:,.0f} s ago" if oldest is not None else "none"),
        ("room used", f"{found.used_bytes / 1e6:,.1f} of {found.limit_bytes / 1e6:,.0f} MB"),
        ("room left", f"for {left:,.1f} h at the rate of now" if left is not None else "it does not grow"),
        ("drained", _drained(found, drained)),
    ]


def _drained(found: Status, seconds: float | None) -> str:
    if not found.records:
        return "all of it"
    if seconds is None:
        return "not now: Kafka is away, or no ingress runs here"
    return f"in about {seconds:,.0f} s, {found.drains_records_per_second:,.0f} records a second"


def add_to(root: typer.Typer) -> None:
    """`wootstream spool …`."""
    root.add_typer(app, name="spool")
