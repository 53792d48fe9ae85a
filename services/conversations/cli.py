"""`wootstream report …` and `wootstream explain conversation …`: figures at the command line."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import orjson
import typer

from db import reports as table
from db.pool import Connection
from schemas.reports import Completeness, Group, Report, ReportSummary, Totals
from services.conversations import reports, tables
from services.conversations.explain import Step, explain
from services.conversations.histories import look
from services.conversations.reports import By
from services.conversations.spans import moment
from services.conversations.stores import known_stores
from services.kernel import Clock, Stop
from services.kernel.installation import each_store

report = typer.Typer(
    help="Figures that equal Chatwoot's own, and what Chatwoot cannot say.", invoke_without_command=True
)
explain_ = typer.Typer(no_args_is_help=True)

Store = Annotated[str, typer.Option(help="the store's short name; left out: every store")]
Since = Annotated[str, typer.Option(help="so long ago (30m, 12h, 7d, 4w), or a date or time of the store's zone")]
Until = Annotated[str, typer.Option(help="likewise; the span ends before it")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV instead of a table")]


@report.callback()
def _default(
    ctx: typer.Context, store: Store = "", since: Since = "7d", until: Until = "0m", as_json: Json = False
) -> None:
    if ctx.invoked_subcommand is None:
        summary(store, since, until, as_json)


@report.command()
def summary(
    store: Store = "", since: Since = "7d", until: Until = "0m", as_json: Json = False, as_csv: Csv = False
) -> None:
    """Chatwoot's summary of a span and of the one before it."""
    answers = asyncio.run(each_store(store, lambda conn, id_, _: _summary(conn, id_, since, until)))
    if as_json:
        _print_json(store, answers)
    else:
        groups = {name: (Group(**{key: getattr(one, key) for key in _TOTALS}),) for name, one in answers.items()}
        _print_groups(groups, [one.completeness for one in answers.values()], as_csv=as_csv)


_TOTALS = tuple(Totals.model_fields)


async def _summary(conn: Connection, organization: UUID, since: str, until: str) -> ReportSummary:
    begin, end = await _span(conn, organization, since, until)
    return await reports.summary(conn, organization, since=begin, until=end)


async def _by(conn: Connection, organization: UUID, by: By, since: str, until: str) -> Report:
    begin, end = await _span(conn, organization, since, until)
    return await reports.by_group(conn, organization, by, since=begin, until=end)


async def _span(conn: Connection, organization: UUID, since: str, until: str) -> tuple[datetime, datetime]:
    row, now = await table.store(conn, organization), Clock().now()
    zone = row["timezone"] if row else "UTC"
    try:
        return moment(since, zone=zone, now=now), moment(until, zone=zone, now=now)
    except ValueError as error:
        raise typer.BadParameter(
            f"{since} or {until} is no time: say 7d, 12h, 2026-11-01 or 2026-11-01T09:00"
        ) from error


def _group_command(by: By, text: str) -> None:
    def command(
        store: Store = "", since: Since = "7d", until: Until = "0m", as_json: Json = False, as_csv: Csv = False
    ) -> None:
        answers = asyncio.run(each_store(store, lambda conn, id_, _: _by(conn, id_, by, since, until)))
        if as_json:
            _print_json(store, answers)
        else:
            groups = {name: one.groups for name, one in answers.items()}
            _print_groups(groups, [one.completeness for one in answers.values()], as_csv=as_csv)

    report.command(by, help=text)(command)


_group_command("agents", "The same by agent: who answered, and whose conversations.")
_group_command("inboxes", "The same by inbox.")
_group_command("teams", "The same by team.")
_group_command("days", "The same by day of the store's own calendar.")


@report.command()
def waiting(store: Store = "", limit: int = 20, as_json: Json = False, as_csv: Csv = False) -> None:
    """Customers who wait for an answer now, longest first, with a link into Chatwoot."""
    now = Clock().now()
    answers = asyncio.run(each_store(store, lambda conn, id_, _: reports.waiting(conn, id_, now=now, limit=limit)))
    if as_json:
        _print_json(store, answers)
        return
    rows = [tables.waiting_row(name, one) for name, people in answers.items() for one in people]
    _print(tables.WAITING_COLUMNS, sorted(rows, key=lambda row: str(row[3])), as_csv=as_csv)


@explain_.callback()
def _explain() -> None:
    """Where a figure comes from."""


@explain_.command()
def conversation(store: str, number: int, as_json: Json = False) -> None:
    """Each figure of a conversation with the facts that made it, in the order of time."""
    steps = asyncio.run(each_store(store, lambda conn, id_, _: _explained(conn, id_, number)))[store]
    if as_json:
        sys.stdout.write(orjson.dumps([step._asdict() for step in steps]).decode() + "\n")
    else:
        tables.show(("moment", "fact", "made"), [(f"{one.at:%F %T}", one.fact, "\n".join(one.made)) for one in steps])


async def _explained(conn: Connection, organization: UUID, number: int) -> list[Step]:
    facts, known = await look(conn, (organization, number)), await known_stores(conn, ())
    if facts is None:
        raise Stop(f"nothing is known of conversation {number}: no webhook about it came")
    return explain(facts, known[organization].rules(facts.snapshot.state.inbox_id))


def _print_json(store: str, answers: Mapping[str, object]) -> None:
    told = answers[store] if store else answers
    sys.stdout.write(orjson.dumps(told, default=lambda one: one.model_dump(mode="json")).decode() + "\n")


def _print_groups(groups: Mapping[str, Sequence[Group]], states: Sequence[Completeness], *, as_csv: bool) -> None:
    rows = [tables.group_row(name, group) for name, some in groups.items() for group in some]
    _print(tables.COLUMNS, rows, as_csv=as_csv, footer=tables.complete(states))


def _print(columns: tuple[str, ...], rows: list[list[object]], *, as_csv: bool, footer: str = "") -> None:
    if as_csv:
        tables.write_csv(columns, rows, sys.stdout)
    else:
        tables.show(columns, rows, footer=footer)
