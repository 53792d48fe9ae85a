"""`wootstream import customers` and `wootstream export customers`: a shop's past as CSV."""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from db.people import customers as table
from db.pool import Pool, scoped
from schemas.topics import SHOP_EVENTS
from schemas.values.money import digits
from schemas.values.sheet_cells import guarded
from services.customers.past.csv_file import PastFile
from services.customers.past.reading import PastReading, ReadIn
from services.customers.past.shop_line import CUSTOMER_COLUMNS, ORDER_COLUMNS
from services.kernel import Process, Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.reaching import reach_topic
from services.kernel.cli.terminal import Json, print_json, progress
from services.kernel.cli.terminal import since as moment

_PAGE = 1_000
export = typer.Typer(no_args_is_help=True, help="What the shop said, as CSV that `import` reads.")


def add_to(app: typer.Typer, imports: typer.Typer) -> None:
    """Register the verbs of this service; its import is one of those that others have."""
    imports.command(name="customers")(import_customers)
    app.add_typer(export, name="export")


@export.callback()
def _export() -> None:
    """What the shop said, as CSV that `import` reads."""


def import_customers(
    store: Annotated[str, typer.Argument(help="the store's short name")],
    file: Annotated[str, typer.Argument(help="a CSV file, or - for standard input")],
    as_of: Annotated[
        str | None, typer.Option(help="when a customer's line without updated_at was said: a date, 7d; default: now")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a shop's customers, or its orders where there is a column order_id, through the topic of the shop's events.

    Columns are known by their names, in any order: customer_id, email, phone, name, preferred_language,
    marketing_consent, registered_at, updated_at; or order_id, customer_id, currency, amount, placed_at, paid_at,
    refunded_amount, refunded_at, cancelled_at, order_number, order_url, categories (a|b). Bad lines are skipped into
    FILE.refused.csv with the reason. Ctrl-C and again goes on where it was; a line that is read twice counts once. Of
    two lines about one order, or one moment of a customer, the one that is read last counts.
    """
    try:
        done = asyncio.run(_import(store, file, moment(as_of)))
    except KeyboardInterrupt:  # what was sent is remembered; of standard input each line has its effect once anyway
        raise Refusal("interrupted: the same command goes on where it was") from None
    except FileNotFoundError as absent_file:
        raise Refusal(f"there is no file {absent_file.filename}") from None
    if as_json:
        counts = {"lines": done.lines, "events": done.events, "refused": done.refused, "skipped": done.skipped}
        print_json(counts | {"seconds": round(done.seconds, 3), "lines_per_second": round(done.rate)})
    else:
        before = f", {done.skipped} read before" if done.skipped else ""
        print(
            f"{done.lines} lines read, {done.events} events sent{before}, in {done.seconds:.1f} s: "
            f"{done.rate:,.0f} lines a second"
        )
        _show_refused(done, file)
    raise typer.Exit(1 if done.refused else 0)


def _show_refused(done: ReadIn, file: str) -> None:
    for sentence in done.shown:
        print(sentence, file=sys.stderr)
    if done.refused:
        where = "" if file == "-" else f", all of them in {file}.refused.csv"
        print(f"{done.refused} lines refused{where}", file=sys.stderr)


async def _import(store: str, path: str, as_of: datetime | None) -> ReadIn:
    settings = installed()
    async with database(settings) as pool:
        organization = (await stores_named(pool, store))[store]
        process = Process(settings)
        try:
            await reach_topic(process, SHOP_EVENTS)
            file = PastFile(path)
            try:
                with progress(f"{store}: lines") as tell:
                    reading = PastReading(process, organization, file, as_of=as_of or process.clock.now())
                    done = await reading.run(file.beside(store), tell)
            finally:
                file.close()
            async with scoped(pool, {organization}) as conn:
                await note(conn, "import customers", store=organization, thing=f"{done.events} events")
            return done
        finally:
            await process.close()


@export.command()
def customers(
    store: Annotated[str, typer.Argument(help="the store's short name")],
    orders: Annotated[bool, typer.Option("--orders", help="the orders, in place of the customers")] = False,
) -> None:
    """Write what is known of a store's customers, or its orders, to standard output; who asks is written down."""
    asyncio.run(_export_all(store, orders=orders))


async def _export_all(store: str, *, orders: bool) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    async with database(installed(kafka=False)) as pool:
        organization = (await stores_named(pool, store))[store]
        async with scoped(pool, {organization}) as conn:
            await note(conn, "export customers", store=organization, thing="orders" if orders else "customers")
        out.writerow(ORDER_COLUMNS if orders else CUSTOMER_COLUMNS)
        async for row in _pages(pool, organization, orders=orders):
            cells = _order_cells(row) if orders else _customer_cells(row)
            out.writerow([guarded(one) if isinstance(one, str) else one for one in cells])


async def _pages(pool: Pool, store: UUID, *, orders: bool) -> AsyncIterator[Any]:
    """By id, a page in a transaction: an export of a million holds up nobody."""
    read, after = (table.exported_orders if orders else table.exported_customers), ""
    while True:
        async with scoped(pool, {store}) as conn:
            page = await read(conn, store, after, _PAGE)
        for row in page:
            yield row
        if len(page) < _PAGE:
            return
        after = page[-1]["order_id" if orders else "customer_id"]


def _customer_cells(row: Any) -> list[Any]:
    consent = {True: "true", False: "false", None: ""}[row["marketing_consent"]]
    said = max((one.split(" ")[0] for one in row["profile_moments"].values()), default="")
    return [row["customer_id"], row["email"], row["phone"], row["name"], row["preferred_language"], consent,
            _time(row["registered_at"]), said]  # fmt: skip


def _order_cells(row: Any) -> list[Any]:
    refunded = _amount(row["refunded_minor"], row["currency"]) if row["refunded_at"] else None
    return [row["order_id"], row["customer_id"], row["currency"], _amount(row["total_minor"], row["currency"]),
            _time(row["placed_at"] or row["paid_at"]), _time(row["paid_at"]), refunded, _time(row["refunded_at"]),
            _time(row["cancelled_at"]), row["order_number"], row["order_url"], "|".join(row["categories"])]  # fmt: skip


def _time(moment_: datetime | None) -> str | None:
    return moment_.isoformat() if moment_ else None


def _amount(minor: int | None, currency: str | None) -> str | None:
    """As `import` reads it: 1234.50, no sign of the currency and no grouping."""
    if minor is None or currency is None:
        return None
    places = digits(currency)
    whole, rest = divmod(minor, 10**places)
    return f"{whole}.{rest:0{places}d}" if places else str(whole)
