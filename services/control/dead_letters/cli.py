"""`wootstream dead-letters`: what could not be applied, why, and what becomes of it."""

import asyncio
from functools import partial
from typing import Annotated

import typer

from db.records.dead_letters import LetterFilter
from services.control.dead_letters import letters as control
from services.control.dead_letters.letters import LettersByReason
from services.control.dead_letters.redrive import redrive as run_redrive
from services.kernel import Settings
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, ask_first, not_empty, print_json, progress, show
from services.kernel.cli.terminal import since as moment
from services.kernel.printable import utc
from services.kernel.telemetry.logs import configure_logs

letters = typer.Typer(no_args_is_help=True, help="Records that could not be applied: kept with the reason.")

StoreOption = Annotated[str | None, typer.Option(help="the store's short name; left out: every store")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", callback=not_empty, help="only where the reason contains this")
]
SinceOption = Annotated[str | None, typer.Option(help="only set aside since: 12h, 7d, or a date or time")]
IdsOption = Annotated[list[int] | None, typer.Option("--id", help="only this letter; again for more")]
MostOption = Annotated[int | None, typer.Option("--max", min=1, help="at most so many letters, oldest first")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="only show which")]

_COLUMNS = ("letters", "reason", "kind", "group", "topic", "stores", "bytes", "not kept", "oldest", "newest", "ids")
_STORES_SHOWN = 3


@letters.command(name="list")
def list_(
    store: StoreOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    most: Annotated[int, typer.Option("--max", min=1, help="at most so many reasons")] = 50,
    as_json: Json = False,
) -> None:
    """How many wait, by reason, with the numbers of the first few."""
    found = _by_reason(installed(kafka=False), _wanted(reason, since, None), store, most)
    if as_json:
        print_json(found)
    else:
        _table(found, "nothing was set aside" if not found else "look at one with `wootstream dead-letters show ID`")


@letters.command(name="show")
def show_(
    number: Annotated[int, typer.Argument(metavar="ID", help="the letter's number")],
    reveal: Annotated[bool, typer.Option("--reveal", help="with personal data; who looked is written down")] = False,
    as_json: Json = False,
) -> None:
    """One letter with its headers and the shape of its value."""
    found = asyncio.run(control.show(installed(kafka=False), number, reveal=reveal))
    if as_json:
        print_json(found)
    else:
        show(("", ""), [(name, getattr(found, name)) for name in found.__dataclass_fields__])


@letters.command()
def redrive(
    store: StoreOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    ids: IdsOption = None,
    most: MostOption = None,
    dry_run: DryRunOption = False,
    as_json: Json = False,
) -> None:
    """Send them again, once what refused them is mended. Safe to repeat: what has its effect already changes nothing.

    A record keeps its id and the time of its receipt. What fails again is set aside again.
    """
    settings, wanted = installed(), _wanted(reason, since, ids)
    configure_logs(settings.log_level, settings.log_format)
    if dry_run:
        _show_choice(settings, wanted, store, most, as_json=as_json)
        return
    with progress("sending again") as advance:
        done = asyncio.run(run_redrive(settings, wanted, store=store, limit=most, advance=advance))
    if as_json:
        print_json(done)
    else:
        gone = f"; of {done.gone} the topic has the bytes no longer: discard them" if done.gone else ""
        refused = f"; {done.refused} Kafka refuses as the topic is: mend it, or discard them" if done.refused else ""
        print(f"{done.sent} sent again{gone}{refused}")


@letters.command()
def discard(
    store: StoreOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    ids: IdsOption = None,
    most: MostOption = None,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Give them up for good: what they said is forgotten, where they stood and why they failed is kept."""
    settings, wanted = installed(kafka=False), _wanted(reason, since, ids)
    if dry_run:
        _show_choice(settings, wanted, store, most, as_json=as_json)
        return
    if not yes:
        chosen = partial(_show_choice, settings, wanted, store, most, as_json=False)
        ask_first("Forget what these said?", as_json=as_json, shown=chosen)
    with progress("discarding") as advance:
        done = asyncio.run(control.discard(settings, wanted, store=store, limit=most, advance=advance))
    if as_json:
        print_json({"discarded": done})
    else:
        print(f"{done} discarded")


def _wanted(reason: str | None, since: str | None, ids: list[int] | None) -> LetterFilter:
    return LetterFilter(reason=reason, since=moment(since), ids=tuple(ids) if ids else None)


def _by_reason(settings: Settings, wanted: LetterFilter, store: str | None, most: int) -> list[LettersByReason]:
    return asyncio.run(control.by_reason(settings, wanted, store=store, limit=most))


def _show_choice(
    settings: Settings, wanted: LetterFilter, store: str | None, most: int | None, *, as_json: bool
) -> None:
    found = asyncio.run(control.choice(settings, wanted, store=store, limit=most))
    if as_json:
        print_json(found)
    else:
        _table(found, f"{sum(one.letters for one in found)} letters")


def _table(found: list[LettersByReason], footer: str) -> None:
    show(_COLUMNS, [
        (one.letters, one.reason, one.kind, one.group, one.topic, _some(one.stores), one.value_bytes, one.not_kept,
         utc(one.oldest), utc(one.newest), " ".join(map(str, one.ids)))
        for one in found
    ], footer=footer)  # fmt: skip


def _some(stores: tuple[str, ...]) -> str:
    more = len(stores) - _STORES_SHOWN
    return " ".join(stores[:_STORES_SHOWN]) + (f" and {more} more" if more > 0 else "")
