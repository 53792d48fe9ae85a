"""`wootstream consent …`: what people agreed to, and what a store needs them to."""

from typing import Annotated, Any
from uuid import UUID

import typer

from schemas.values.consent import PURPOSES, Purpose
from services.kernel import Process, Refusal
from services.kernel.cli.terminal import Json, print_json, show, since
from services.kernel.printable import utc
from services.privacy.cli import StoreName, Who, with_store
from services.privacy.consent import standing
from services.privacy.who import meant

app = typer.Typer(no_args_is_help=True, help="What people agreed to, and what a store needs them to.")
PurposeName = Annotated[str, typer.Argument(help=f"of: {', '.join(PURPOSES)}")]
ShownText = Annotated[str | None, typer.Option(help="which text they were shown, in the store's own words")]
At = Annotated[str | None, typer.Option(help="when they said it: a date or time, or 30m, 12h, 7d ago; left out: now")]


def add_to(root: typer.Typer) -> None:
    """Register the verbs of this room."""
    root.add_typer(app, name="consent")


@app.command(name="show")
def show_(store: StoreName, who: Who, as_json: Json = False) -> None:
    """What a person agreed to and took back, and what counts of it; that somebody looked is written down."""
    found = with_store(store, lambda process, id_: standing.standing(process, id_, meant(who)))
    if as_json:
        print_json(found)
        return
    show(("purpose", "state", "since", "the store needs it"),
         [(purpose, one["state"], one["since"] and utc(one['since']), "yes" if one["needed"] else "no")
          for purpose, one in found["now"].items()])  # fmt: skip
    show(("said", "purpose", "word", "text", "from", "heard"),
         [(utc(one['said_at']), one["purpose"], "given" if one["given"] else "withdrawn", one["text_version"],
           one["source"], utc(one['heard_at'])) for one in found["words"]],
         footer="" if found["words"] else "nothing was ever said")  # fmt: skip


@app.command()
def give(store: StoreName, who: Who, purpose: PurposeName, text: ShownText = None, at: At = None) -> None:
    """Write down that a person agrees to a purpose."""
    _say(store, who, purpose, given=True, text=text, at=at)


@app.command()
def withdraw(store: StoreName, who: Who, purpose: PurposeName, text: ShownText = None, at: At = None) -> None:
    """Write down that a person no longer agrees; what was kept for that purpose names them no longer."""
    _say(store, who, purpose, given=False, text=text, at=at)


@app.command()
def need(
    store: StoreName,
    purposes: Annotated[str, typer.Argument(help=f"of {', '.join(PURPOSES)}, with commas between; none: nothing")],
) -> None:
    """Say for which purposes a store keeps nothing of people who have not agreed."""
    wanted = [] if purposes == "none" else [one.strip() for one in purposes.split(",")]
    hidden, named = with_store(store, lambda process, id_: standing.need(process, id_, wanted))
    print(f"{store} needs consent to: {', '.join(wanted) or 'nothing'}")
    if hidden or named:
        print(f"{hidden} conversations name their contact no longer, {named} do again")


def purpose_named(text: str) -> Purpose:
    """Raises Refusal."""
    found = next((one for one in PURPOSES if one == text), None)
    if found is None:
        raise Refusal(f"{text[:40]!r} is no purpose; there are: {', '.join(PURPOSES)}")
    return found


def _say(store: str, who: str, purpose: str, *, given: bool, text: str | None, at: str | None) -> None:
    wanted, asked = purpose_named(purpose), meant(who)

    async def said(process: Process, organization: UUID) -> Any:
        return await standing.say(
            process, organization, asked, wanted, given=given, source="verb", said_at=since(at), text_version=text
        )

    news = with_store(store, said)
    print(("given" if given else "withdrawn") + ("" if news else ": it was known before"))
