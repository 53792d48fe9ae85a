"""`wootstream push`: what stores in shadow would send."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer

from db import stores
from db.people import pushes
from db.pool import Row, scoped
from schemas.bounds import MOST_INT4
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import Json, print_json, show

push = typer.Typer(no_args_is_help=True, help="Attributes on their way to Chatwoot.")

_MOST, _DIGITS = 1_000, 10  # people of a page; digits of an int4
_BEGINNING = ("", 0)
_COLUMNS = ("store", "contact", "customer", "attribute", "Chatwoot has", "would be", "computed")


@dataclass(frozen=True, slots=True)
class AttributeLine:
    """One attribute of one person; `would_be` None: it would be removed."""

    store: str
    contact: int
    customer: str | None
    attribute: str
    chatwoot_has: Any
    would_be: Any
    computed_at: datetime


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(push, name="push")


@push.callback()
def _push() -> None:
    """Attributes on their way to Chatwoot."""


@push.command()
def diff(
    store: Annotated[str | None, typer.Argument(help="the store's short name; left out: every store in shadow")] = None,
    most: Annotated[int, typer.Option("--max", min=1, max=_MOST, help="at most so many people")] = 50,
    after: Annotated[str, typer.Option(help="go on after this STORE/CONTACT, as the last page said")] = "",
    as_json: Json = False,
) -> None:
    """What Chatwoot has and what would be sent, as of when the sender last looked; who asks is written down."""
    rows = asyncio.run(_rows(store, _place(after), most))
    lines = [line for row in rows for line in _lines(row)]
    more = f"{rows[-1]['slug']}/{rows[-1]['chatwoot_contact_id']}" if len(rows) == most else None
    if as_json:
        print_json({"lines": lines, "after": more})
        return
    cells = [(one.store, one.contact, one.customer, one.attribute, _text(one.chatwoot_has), _text(one.would_be),
             f"{one.computed_at:%F %T}") for one in lines]  # fmt: skip
    show(_COLUMNS, cells, footer=f"more with --after {more}" if more else "" if lines else "nothing differs")


async def _rows(store: str | None, after: tuple[str, int], most: int) -> list[Row]:
    async with database(installed(kafka=False)) as pool:
        named = await stores_named(pool, store)
        async with scoped(pool, named.values()) as conn:
            if store and (account := await stores.account(conn, named[store])) and account["push"] != "shadow":
                raise Refusal(f"store {store} is {account['push']}, not in shadow: `stores add {store} --push shadow`")
            rows = await pushes.differences(conn, after=after, limit=most)
            # Who saw which store's people: once a store, in one order.
            for organization in sorted({named[row["slug"]] for row in rows}):
                await note(conn, "push diff", store=organization, thing="attributes")
    return list(rows)


def _place(after: str) -> tuple[str, int]:
    store, slash, contact = after.rpartition("/")
    if after and not (slash and contact.isdecimal() and len(contact) <= _DIGITS and int(contact) <= MOST_INT4):
        raise Refusal(f"--after {after} is no place: take what the last page said, like nl/17")
    return (store, int(contact)) if after else _BEGINNING


def _lines(row: Row) -> Iterator[AttributeLine]:
    wanted = row["changed"] | dict.fromkeys(row["removed"])
    for name, would_be in sorted(wanted.items()):
        has = row["cached_attributes"].get(name)
        yield AttributeLine(
            row["slug"], row["chatwoot_contact_id"], row["customer_id"], name, has, would_be, row["computed_at"]
        )


def _text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
