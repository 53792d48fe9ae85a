"""`wootstream partitions …`, and `wootstream report widget`."""

import asyncio
from typing import Annotated

import typer

from db.pool import scoped
from services.kernel import Clock
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import Json, print_json, show
from services.widget import months
from services.widget.report_cli import report as widget_report
from services.widget.retention import rebuild as rebuild_days

partitions = typer.Typer(help="The months of widget events: makes what is missing, and shows them.")


def add_to(app: typer.Typer, reports: typer.Typer) -> None:
    """Register the verbs of this service; its report is one of those that others have."""
    reports.add_typer(widget_report, name="widget")
    app.add_typer(partitions, name="partitions")


@partitions.callback(invoke_without_command=True)
def show_months(ctx: typer.Context, as_json: Json = False) -> None:
    """The months of widget events: makes what is missing, and shows them."""
    if ctx.invoked_subcommand is not None:
        return
    found = asyncio.run(_ensured())
    if as_json:
        print_json(found.as_json())
        return
    rows = [
        (one.name, f"{one.begins:%F}", f"{one.ends:%F}", "kept" if one.attached else "let go", one.rows, one.bytes)
        for one in found.months
    ]
    made = f"made {', '.join(found.made)}; " if found.made else ""
    footer = f"{made}{found.days_ahead} days ahead"
    show(("partition", "from", "before", "state", "rows (estimate)", "bytes"), rows, footer=footer)


async def _ensured() -> months.Months:
    async with database(installed(kafka=False)) as pool:
        return await months.ensure(pool, Clock().now())


@partitions.command()
def rebuild(
    store: Annotated[str | None, typer.Argument(help="the store's short name; left out: every store")] = None,
    as_json: Json = False,
) -> None:
    """Count the days anew from the single events that are kept; older days stay as they were counted.

    After an upgrade from a release that did not count, or when a store's time zone was changed. Events of a person who
    was forgotten are then of no page and no known device.
    """
    days = asyncio.run(_rebuilt(store))
    if as_json:
        print_json(days)
        return
    show(("store", "days counted"), list(days.items()))


async def _rebuilt(store: str | None) -> dict[str, int]:
    async with database(installed(kafka=False)) as pool:
        days = {}
        for slug, organization in (await stores_named(pool, store)).items():
            days[slug] = await rebuild_days(pool, organization)
            async with scoped(pool, {organization}) as conn:
                await note(conn, "partitions rebuild", store=organization, thing=f"{slug}: {days[slug]} days")
        return days
