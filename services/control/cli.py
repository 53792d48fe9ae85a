"""The operator's verbs: `stores`, `people`, `doctor`, `audit`, `audit-log`, `offsets`, `dead-letters`, `settings`."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from services.control import audit_log
from services.control import settings as known
from services.control.dead_letters.cli import letters
from services.control.doctor.cli import doctor
from services.control.ledger.audit import audit as run_audit
from services.control.ledger.cli import offsets
from services.control.ledger.wording import show_audit
from services.control.people.cli import app as people
from services.control.stores import remove_cli
from services.control.stores.cli import stores
from services.control.stores.remove_cli import StoreErasing
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.cli.terminal import since as moment
from services.kernel.printable import utc


def add_to(app: typer.Typer, erasing: StoreErasing) -> None:
    """Register the verbs; a store is erased by another service."""
    remove_cli.add_to(stores, erasing)
    app.add_typer(stores, name="stores")
    app.command()(doctor)
    app.add_typer(people, name="people")
    app.command()(audit)
    app.command(name="audit-log")(log)
    app.add_typer(offsets, name="offsets")
    app.add_typer(letters, name="dead-letters")
    app.command()(settings)


def audit(
    since: Annotated[
        str | None, typer.Option(help="count only losses noticed since: 12h, 7d, or a date or time; default: ever")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what became of every record that was accepted; exit 1 if any is missing, or stands still, or is not read.

    Works while the system runs: what has arrived but was not read yet is counted as in flight, not as missing.
    """
    answer = asyncio.run(run_audit(installed(), since=moment(since)))
    if as_json:
        print_json(answer.as_json())
    else:
        show_audit(answer)
    raise typer.Exit(0 if answer.clean else 1)


def log(
    store: Annotated[str | None, typer.Option(help="the store's short name; left out: every store")] = None,
    since: Annotated[str | None, typer.Option(help="only since: 12h, 7d, or a date or time")] = None,
    most: Annotated[int, typer.Option("--max", min=1, help="at most so many")] = 100,
    as_json: Json = False,
) -> None:
    """Who changed something or was shown personal data, when and from where; the latest first."""
    rows = asyncio.run(audit_log.read(installed(kafka=False), store=store, since=moment(since), limit=most))
    if as_json:
        print_json(rows)
        return
    show(("at", "who", "from", "what", "store", "of"),
         [(utc(one['at']), one["actor"], one["source"], one["action"], one["store"], one["object"])
          for one in rows], footer="" if rows else "nothing yet")  # fmt: skip


def settings(as_json: Json = False) -> None:
    """Every setting: its variable, meaning, default, and where its value comes from; secrets hidden."""
    rows = known.settings()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    show(("variable", "value", "from", "default", "meaning"),
         [(row.variable, row.value, row.source, row.default, row.meaning) for row in rows])  # fmt: skip
