"""`wootstream push`: what stores in shadow would send."""

import asyncio
from typing import Annotated, Any

import orjson
import typer

from db.pool import Row
from services.contacts.shadow import MOST, differences, page_of, place
from services.kernel.cli.environment import database, installed
from services.kernel.cli.terminal import Json, print_json, show

push = typer.Typer(no_args_is_help=True, help="Attributes on their way to Chatwoot.")

_COLUMNS = ("store", "contact", "customer", "attribute", "Chatwoot has", "would be", "computed")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(push, name="push")


@push.callback()
def _push() -> None:
    """Attributes on their way to Chatwoot."""


@push.command()
def diff(
    store: Annotated[str | None, typer.Argument(help="the store's short name; left out: every store in shadow")] = None,
    most: Annotated[int, typer.Option("--max", min=1, max=MOST, help="at most so many people")] = 50,
    after: Annotated[str, typer.Option(help="go on after this STORE/CONTACT, as the last page said")] = "",
    as_json: Json = False,
) -> None:
    """What Chatwoot has and what would be sent, as of when the sender last looked; who asks is written down."""
    rows = asyncio.run(_rows(store, place(after), most))
    page = page_of(rows, most)
    lines, more = page["lines"], page["after"]
    if as_json:
        print_json(page)
        return
    cells = [(one.store, one.contact, one.customer, one.attribute, _text(one.chatwoot_has), _text(one.would_be),
             f"{one.computed_at:%F %T}") for one in lines]  # fmt: skip
    show(_COLUMNS, cells, footer=f"more with --after {more}" if more else "" if lines else "nothing differs")


async def _rows(store: str | None, after: tuple[str, int], most: int) -> list[Row]:
    async with database(installed(kafka=False)) as pool:
        return await differences(pool, store, after, most)


def _text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
