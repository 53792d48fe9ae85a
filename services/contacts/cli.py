"""`wootstream push`: what stores in shadow would send, whether a store sends, and looking at people at once."""

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from db.people import due, explained, pushes
from db.pool import Row, scoped
from services.contacts.shadow import MOST, differences, page_of, place
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.printable import utc

push = typer.Typer(no_args_is_help=True, help="Attributes on their way to Chatwoot.")

_COLUMNS = ("store", "contact", "customer", "attribute", "Chatwoot has", "would be", "computed")


class Mode(StrEnum):
    """What becomes of a store's attributes."""

    OFF = "off"
    SHADOW = "shadow"
    LIVE = "live"


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
             utc(one.computed_at)) for one in lines]  # fmt: skip
    show(_COLUMNS, cells, footer=f"more with --after {more}" if more else "" if lines else "nothing differs")


@push.command()
def mode(
    store: Annotated[str, typer.Argument(help="the store's short name")],
    to: Annotated[Mode, typer.Argument(help="off: nothing; shadow: computed and shown, nothing sent; live: sent")],
) -> None:
    """Whether a store's attributes leave for Chatwoot. Going live, or into shadow, looks at all its customers again."""
    print(asyncio.run(_set_mode(store, to)))


@push.command()
def now(
    store: Annotated[str, typer.Argument(help="the store's short name")],
    who: Annotated[str | None, typer.Argument(help="a customer id, an e-mail or a phone; left out: everybody")] = None,
) -> None:
    """Look at a customer at once, or at all of a store again: what differs is sent."""
    print(asyncio.run(_look_now(store, who)))


@push.command()
def drift(
    store: Annotated[str | None, typer.Argument(help="the store's short name; left out: every store")] = None,
    most: Annotated[int, typer.Option("--max", min=1, max=MOST, help="at most so many attributes")] = 50,
    as_json: Json = False,
) -> None:
    """What stays as somebody in Chatwoot has set it (`agents_may_change`), beside what was sent; who asks is noted."""
    rows = [dict(row) for row in asyncio.run(_kept_by_agents(store, most))]
    if as_json:
        print_json(rows)
        return
    cells = [(row["slug"], row["chatwoot_contact_id"], row["customer_id"], row["attribute"], _text(row["sent"]),
              _text(row["held"])) for row in rows]  # fmt: skip
    show(("store", "contact", "customer", "attribute", "sent", "Chatwoot has"), cells)


async def _kept_by_agents(store: str | None, most: int) -> list[Row]:
    async with database(installed(kafka=False)) as pool:
        named = await stores_named(pool, store)
        async with scoped(pool, named.values()) as conn:
            rows = await pushes.kept_by_agents(conn, most)
            for organization in sorted({named[row["slug"]] for row in rows}):
                await note(conn, "push drift", store=organization, thing="attributes")
    return list(rows)


async def _set_mode(store: str, to: Mode) -> str:
    async with database(installed(kafka=False)) as pool:
        organization = (await stores_named(pool, store))[store]
        async with scoped(pool, {organization}) as conn:
            if not await pushes.set_mode(conn, organization, to.value):
                return f"{store} is {to.value} already"
            await note(conn, "push mode", store=organization, thing=to.value)
            if to is not Mode.OFF:
                await due.mark_everyone(conn, organization)
    return f"{store} is {to.value}" + ("" if to is Mode.OFF else ", and all its customers are looked at")


async def _look_now(store: str, who: str | None) -> str:
    async with database(installed(kafka=False)) as pool:
        organization = (await stores_named(pool, store))[store]
        async with scoped(pool, {organization}) as conn:
            found = [] if who is None else await explained.named(conn, organization, who)
            if who is not None and not found:
                raise Refusal(
                    f"the shop {store} said nothing of a customer {who}: look for an id, an e-mail or a phone"
                )
            await note(conn, "push now", store=organization, thing=found[0] if found else "everybody")
            if found:
                await due.mark_at_once(conn, organization, f"customer:{found[0]}")
            else:
                await due.mark_everyone(conn, organization)
    return f"{found[0] if found else f'all customers of {store}'}: the sender looks as soon as it comes to it"


async def _rows(store: str | None, after: tuple[str, int], most: int) -> list[Row]:
    async with database(installed(kafka=False)) as pool:
        return await differences(pool, store, after, most)


def _text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
