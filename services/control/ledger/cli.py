"""`wootstream offsets`: where every group stands, and how a partition goes on whose log is another one."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from services.control.ledger import adoption as control
from services.control.ledger.adoption import Adoption
from services.control.ledger.wording import COLUMNS, row
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, ask_first, print_json, show

offsets = typer.Typer(no_args_is_help=True, help="Where each group stands in each log, and how to go on from a halt.")

_COLUMNS = ("group", "topic", "partition", "stands at", "would go on at", "gives up", "halted because")


@offsets.command(name="show")
def show_(
    group: Annotated[str | None, typer.Option(help="only this group")] = None,
    topic: Annotated[str | None, typer.Option(help="only this topic")] = None,
    as_json: Json = False,
) -> None:
    """Ledger and log side by side; a halted partition says why."""
    lines = asyncio.run(control.show(installed(), group=group, topic=topic))
    if as_json:
        print_json(lines)
        return
    show((*COLUMNS, "begin", "halted because"), [(*row(line), line.begin_offset, line.halted) for line in lines])


@offsets.command()
def adopt(
    group: Annotated[str, typer.Option(help="the group that is to go on")],
    topic: Annotated[str, typer.Option(help="its topic")],
    partition: Annotated[int | None, typer.Option(help="one partition; left out: every halted one")] = None,
    at: Annotated[int | None, typer.Option(help="the offset to go on at; left out: where the log begins")] = None,
    reason: Annotated[str | None, typer.Option(help="why, for the history; asked for on a terminal")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be done")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Take the log as it is now: close the ledger's row into its history and begin a new one.

    What was read before and is read again counts as duplicate. What is jumped over is given up for good: the audit
    names it as missing from then on. Consumers may keep running; they go on within seconds.
    """
    settings = installed()
    planned = asyncio.run(control.plan(settings, group=group, topic=topic, partition=partition, at=at))
    if not dry_run:
        if not yes:
            ask_first("Go on like this?", as_json=as_json, shown=partial(_tell, planned, as_json=False))
        reason = reason or typer.prompt("Reason", err=True)
        planned = asyncio.run(
            control.adopt(settings, group=group, topic=topic, partition=partition, at=at, reason=reason)
        )
    _tell(planned, as_json=as_json)


def _tell(adoptions: Sequence[Adoption], *, as_json: bool) -> None:
    if as_json:
        print_json(adoptions)
        return
    show(_COLUMNS, [
        (one.group, one.topic, one.partition, one.next_offset, one.at, one.records_given_up, one.halted or "it is not")
        for one in adoptions
    ])  # fmt: skip
