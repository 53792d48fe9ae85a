"""`wootstream stores remove`: a store goes, and with --erase everything that is held of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NamedTuple

import typer

from services.control.stores import suspension
from services.control.stores.site import ChatwootSite, opened
from services.kernel import Refusal
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, ask_first, print_json, show


class StoreErasing(NamedTuple):
    """What the service of people's rights does to a store of this short name; both raise Refusal."""

    look: Callable[[str], dict[str, int]]  # rows by table, nothing is changed
    erase: Callable[[str], tuple[dict[str, int], dict[str, str]]]  # rows that went, and step → why it waits


def add_to(stores: typer.Typer, erasing: StoreErasing) -> None:
    """Register the verb, once."""
    if any(one.name == "remove" for one in stores.registered_commands):
        return

    @stores.command(name="remove")
    def remove(
        slug: Annotated[str, typer.Argument(help="the store's short name")],
        yes: Annotated[bool, typer.Option("--yes", help="do not ask; no answer to --erase")] = False,
        keep_webhook: Annotated[bool, typer.Option(help="leave our webhook in Chatwoot")] = False,
        erase: Annotated[bool, typer.Option("--erase", help="also every row and secret of it, for good")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="with --erase: only count what would go")] = False,
        confirm: Annotated[str, typer.Option(help="with --erase: the short name, in place of typing it")] = "",
        as_json: Json = False,
    ) -> None:
        """Remove our webhook from Chatwoot and the store's secrets from here; its figures and its account stay.

        With --erase nothing stays but that it was; killed anywhere, the same again or the service privacy goes on."""
        if dry_run and not erase:
            raise Refusal("--dry-run counts the rows that --erase takes; without it they all stay")
        if dry_run:
            _show(erasing.look(slug), as_json=as_json)
        elif erase:
            _confirm(slug, confirm)
            _in_site(lambda site: suspension.remove_if_there(site, slug, keep_webhook=keep_webhook))
            _told(slug, *erasing.erase(slug), as_json=as_json)
        else:
            _remove(slug, yes=yes, keep_webhook=keep_webhook, as_json=as_json)


def _remove(slug: str, *, yes: bool, keep_webhook: bool, as_json: bool) -> None:
    if not yes:
        ask_first(f"Remove store {slug}? Its short name cannot be used again", as_json=as_json)
    removed = _in_site(lambda site: suspension.remove(site, slug, keep_webhook=keep_webhook))
    if as_json:
        print_json({"slug": slug, "webhooks_removed": len(removed)})
    else:
        print(f"store {slug} is removed, and {len(removed)} webhook{'' if len(removed) == 1 else 's'} of it")


def _confirm(slug: str, given: str) -> None:
    typed = given or typer.prompt(f"Everything of store {slug} goes, for good. Type its short name", err=True)
    if typed != slug:
        raise Refusal(f"{typed!r} is not {slug!r}: nothing was changed")


def _show(rows: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        show(("table", "rows"), list(rows.items()), footer="nothing was changed" if rows else "there is nothing")


def _told(slug: str, gone: dict[str, int], waiting: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json({"slug": slug, "rows": gone, "waiting": waiting})
    else:
        show(("table", "rows that went"), list(gone.items()))
        print(f"store {slug} is erased" if not waiting else f"store {slug} is empty, and goes on by itself:")
        for step, reason in waiting.items():
            print(f"  {step}: {reason}")
    raise typer.Exit(1 if waiting else 0)


def _in_site(work: Callable[[ChatwootSite], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with opened(installed(kafka=False)) as site:
            return await work(site)

    return asyncio.run(run())
