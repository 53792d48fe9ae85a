"""`wootstream report …`: figures as a table, as CSV or as JSON."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from schemas.reports import Comparison, Group, Report, ReportSummary, WaitingList
from services.conversations.chatwoot.cli import compared
from services.conversations.reports import tables
from services.conversations.reports.query import Question, ReportName, answer
from services.kernel import Clock, Refusal
from services.kernel.cli.environment import each_store
from services.kernel.cli.terminal import print_json, show

report = typer.Typer(
    help="Figures that equal Chatwoot's own, and what Chatwoot cannot say. Without a verb: the summary.",
    invoke_without_command=True,
)

StoreOption = Annotated[str | None, typer.Option(help="the store's short name; left out: every store")]
AllOption = Annotated[bool, typer.Option("--all-stores", help="every store, one after the other, in one table")]
SinceOption = Annotated[str, typer.Option(help="so long ago (30m, 12h, 7d, 4w), or a date or time of the store's zone")]
UntilOption = Annotated[str, typer.Option(help="likewise; the span ends before it")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table; of several stores by their names")]
CsvOption = Annotated[bool, typer.Option("--csv", help="CSV instead of a table")]

_VERBS: dict[ReportName, str] = {
    "summary": "Chatwoot's summary of a span and of the one before it (that one with --json).",
    "agents": "The same by agent: who answered, and whose conversations.",
    "inboxes": "The same by inbox.",
    "teams": "The same by team.",
    "days": "The same by day of the store's own calendar.",
}


def _verb(name: ReportName) -> Callable[..., None]:
    def command(
        ctx: typer.Context,
        store: StoreOption = None,
        all_stores: AllOption = False,
        since: SinceOption = "7d",
        until: UntilOption = "0m",
        as_json: JsonOption = False,
        as_csv: CsvOption = False,
    ) -> None:
        if ctx.invoked_subcommand is None:
            _figures(Question(name, since, until), _one(store, all_stores), as_json=as_json, as_csv=as_csv)

    return command


report.callback()(_verb("summary"))
for _name, _text in _VERBS.items():
    report.command(_name, help=_text)(_verb(_name))


@report.command()
def waiting(
    store: StoreOption = None,
    all_stores: AllOption = False,
    limit: Annotated[int, typer.Option(min=1, help="how many of each store")] = 20,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Customers who wait for an answer now, longest first, with a link into Chatwoot."""
    answers = _ask(Question("waiting", limit=limit), _one(store, all_stores))
    if as_json:
        _print_json(store, answers)
        return
    rows = [tables.waiting_row(name, one) for name, report_ in answers.items() for one in report_.waiting]
    rows = sorted(rows, key=lambda row: str(row[3]))
    _print(tables.WAITING_COLUMNS, rows, answers, as_csv=as_csv, notes=tables.left_out(answers))


@report.command()
def compare(
    store: StoreOption = None,
    all_stores: AllOption = False,
    since: SinceOption = "7d",
    until: UntilOption = "1h",
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Our summary beside Chatwoot's own reports, with the likely reason of each difference.

    Exit 1 where a store could not be compared; the others are."""
    answers = asyncio.run(compared(_one(store, all_stores), since, until))
    if as_json:
        _print_json(store, answers)
    else:
        rows = [row for name, report_ in answers.items() for row in tables.comparison_rows(name, report_)]
        _print(tables.COMPARISON_COLUMNS, rows, answers, as_csv=as_csv, notes=tables.spans(answers.values()))
    raise typer.Exit(1 if any(one.fault for one in answers.values()) else 0)


def _print_json(store: str | None, answers: Mapping[str, BaseModel]) -> None:
    """The answer for one store, or of several by their names."""
    bodies = {name: one.model_dump(mode="json") for name, one in answers.items()}
    print_json(bodies if store is None else bodies[store])


def _one(store: str | None, all_stores: bool) -> str | None:
    if store is not None and all_stores:
        raise Refusal("say either --store NAME or --all-stores")
    return store


def _ask(question: Question, store: str | None) -> Any:
    now = Clock().now()
    return asyncio.run(each_store(store, lambda conn, id_, _: answer(conn, id_, question, now=now)))


def _figures(question: Question, store: str | None, *, as_json: bool, as_csv: bool) -> None:
    answers: Mapping[str, Report | ReportSummary] = _ask(question, store)
    if as_json:
        _print_json(store, answers)
        return
    rows = [tables.group_row(name, group) for name, report_ in answers.items() for group in _groups(report_)]
    _print(tables.COLUMNS, rows, answers, as_csv=as_csv, notes=tables.spans(answers.values()))


def _groups(report_: Report | ReportSummary) -> Sequence[Group]:
    return report_.groups if isinstance(report_, Report) else (report_,)


def _print(
    columns: Sequence[str],
    rows: Sequence[list[object]],
    answers: Mapping[str, Report | ReportSummary | WaitingList | Comparison],
    *,
    as_csv: bool,
    notes: Sequence[str] = (),
) -> None:
    footer = "\n".join([*notes, tables.complete({name: report_.completeness for name, report_ in answers.items()})])
    if as_csv:
        tables.write_csv(columns, rows, sys.stdout)
        sys.stderr.write(footer + "\n")
    else:
        show(columns, rows, footer=footer)
