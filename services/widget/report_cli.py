"""`wootstream report widget [days|pages]`."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer

from db.widget.daily import Grouping
from schemas.reports import WidgetUse, WidgetUseReport
from services.kernel import Clock
from services.kernel.cli.environment import each_store
from services.kernel.cli.terminal import Json, print_json, show
from services.widget.use import Span, use

report = typer.Typer(
    help="What the widget is worth: loads, opens, conversations, and the orders that followed. Without a verb: in all.",
    invoke_without_command=True,
)

StoreOption = Annotated[str | None, typer.Option(help="the store's short name; left out: every store")]
SinceOption = Annotated[
    str, typer.Option(help="so long ago (7d, 4w), or a date of the store's calendar; the whole day")
]
UntilOption = Annotated[str, typer.Option(help="likewise; the last day")]
_COLUMNS = (
    *("store", "id", "loads", "failed", "p50 ms", "p95 ms", "opens", "open rate", "conversations", "of opens"),
    *("messages", "followed by an order", "of conversations"),
)


def _verb(by: Grouping) -> Callable[..., None]:
    def command(
        ctx: typer.Context,
        store: StoreOption = None,
        since: SinceOption = "30d",
        until: UntilOption = "0m",
        as_json: Json = False,
    ) -> None:
        if ctx.invoked_subcommand is None:
            _print(store, by, Span(since, until), as_json=as_json)

    return command


report.callback()(_verb("total"))
report.command("days", help="The same by day of the store's own calendar.")(_verb("days"))
report.command("pages", help="The same by kind of page.")(_verb("pages"))


def _print(store: str | None, by: Grouping, span: Span, *, as_json: bool) -> None:
    now = Clock().now()
    answers = asyncio.run(each_store(store, lambda conn, id_, slug: use(conn, id_, slug, by, span, now=now)))
    if as_json:
        bodies = {name: one.model_dump(mode="json") for name, one in answers.items()}
        print_json(bodies if store is None else bodies[store])
        return
    rows = [_row(name, group) for name, one in answers.items() for group in one.groups]
    show(_COLUMNS, rows, footer=_footer(list(answers.values())))


def _row(store: str, one: WidgetUse) -> list[object]:
    return [
        *(store, one.id, one.loads, one.load_failures, one.load_time_p50, one.load_time_p95, one.opens),
        *(_percent(one.open_rate), one.conversations_started, _percent(one.conversion), one.messages),
        *(one.followed_by_order, _percent(one.order_rate)),
    ]


def _footer(answers: list[WidgetUseReport]) -> str:
    days = {f"{one.first_day} to {one.last_day}" for one in answers}
    return f"whole days, each of its store's calendar: {', '.join(sorted(days))}; orders within 7 days, counted hourly"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
