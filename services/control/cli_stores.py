"""`wootstream stores`: the operator's shops and their Chatwoot accounts."""

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import orjson
import typer
from pydantic import ValidationError

from schemas.stores import Store
from services.control import stores as control
from services.control.tables import Json, print_json, show
from services.kernel.errors import Stop, describe
from services.kernel.installation import installed

stores = typer.Typer(no_args_is_help=True, help="The shops and their Chatwoot accounts.")

_HELP = "a secret; better from the environment, stdin or the prompt"
_COLUMNS = ("store", "status", "Chatwoot", "account", "release", "webhooks", "push", "domains", "zone", "organization")


@stores.command()
def add(
    slug: Annotated[str, typer.Argument(help="the store's short name, also in its URLs: a-z, 0-9 and -")],
    base_url: Annotated[str | None, typer.Option(help="its Chatwoot, like https://app.chatwoot.com")] = None,
    account: Annotated[int | None, typer.Option(help="the account's id there")] = None,
    website_token: Annotated[str | None, typer.Option(help="of the account's website inbox")] = None,
    name: Annotated[str | None, typer.Option(help="for people; default: the short name")] = None,
    release: Annotated[str | None, typer.Option(help="Chatwoot's release; default: 4.13.0")] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="before 4.11.2: the URL ends in a secret token")] = False,
    domain: Annotated[list[str] | None, typer.Option(help="a domain of the storefront; again for more")] = None,
    push: Annotated[str | None, typer.Option(help="attributes to Chatwoot: off, shadow (default) or live")] = None,
    locale: Annotated[str | None, typer.Option(help="language of the store; default: nl")] = None,
    timezone: Annotated[str | None, typer.Option(help="zone of its days; default: Europe/Amsterdam")] = None,
    currency: Annotated[str | None, typer.Option(help="three letters; default: EUR")] = None,
    bot_inbox: Annotated[
        list[int] | None, typer.Option(help="an inbox where a bot answers first; again for more")
    ] = None,
    organization: Annotated[
        UUID | None, typer.Option(help="id of a row of public.organizations, where it exists")
    ] = None,
    api_access_token: Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_API_TOKEN", help=_HELP)] = None,
    webhook_secret: Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_WEBHOOK_SECRET", help=_HELP)] = None,
    event_secret: Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_EVENT_SECRET", help=_HELP)] = None,
    path_token: Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_PATH_TOKEN", help=_HELP)] = None,
    secrets_stdin: Annotated[bool, typer.Option("--secrets-stdin", help="read them as one JSON object")] = False,
    as_json: Json = False,
) -> None:
    """Attach an existing account, or change what the options name; the rest stays as it is.

    Secrets are best kept off the command line: from the environment, as one JSON object on stdin, or asked for on a
    terminal. An event secret is made where a store has none, and so is the token of an unsigned store's webhook URL;
    both are told once.
    """
    secrets = {
        "api_access_token": api_access_token, "webhook_secret": webhook_secret, "event_secret": event_secret,
        "path_token": path_token,
    }  # fmt: skip
    told = {
        "slug": slug, "base_url": base_url, "account_id": account, "website_token": website_token, "name": name,
        "release": release, "unsigned": unsigned, "domains": domain, "push": push, "locale": locale,
        "timezone": timezone, "currency": currency, "bot_inboxes": bot_inbox or (), "organization_id": organization,
    }  # fmt: skip
    try:
        store = Store.model_validate(told | _asked(secrets, unsigned=unsigned or bool(path_token), stdin=secrets_stdin))
    except ValidationError as error:
        raise Stop(f"store {slug} cannot be added: {describe(error)}") from error
    settings = installed(kafka=False)
    _tell(asyncio.run(control.add(settings, store)), settings.public_url, as_json=as_json)


@stores.command(name="list")
def list_(as_json: Json = False) -> None:
    """Every store, without its secrets."""
    rows = asyncio.run(control.listed(installed(kafka=False)))
    if as_json:
        print_json(rows)
        return
    told = [
        (row["slug"], row["account_status"], row["chatwoot_base_url"], row["chatwoot_account_id"], row["release"],
         "unsigned" if row["unsigned"] else "signed", row["push"], " ".join(row["domains"]), row["timezone"],
         row["organization_id"])
        for row in rows
    ]  # fmt: skip
    show(_COLUMNS, told, footer="" if rows else "none yet: add one with `wootstream stores add`")


def _asked(given: dict[str, str | None], *, unsigned: bool, stdin: bool) -> dict[str, str | None]:
    """The secrets from where they are: options and environment, stdin, or a person at a terminal."""
    if stdin:
        try:
            read = orjson.loads(sys.stdin.buffer.read())
        except orjson.JSONDecodeError as error:
            raise Stop("--secrets-stdin needs one JSON object with " + ", ".join(given)) from error
        if not isinstance(read, dict) or not read.keys() <= given.keys():
            raise Stop("--secrets-stdin needs one JSON object with some of " + ", ".join(given))
        return given | read
    if sys.stdin.isatty():
        for name in ("api_access_token", *(() if unsigned else ("webhook_secret",))):
            given[name] = given[name] or typer.prompt(
                f"{name} (empty: leave as it is)", hide_input=True, default="", show_default=False, err=True
            )
    return {name: text or None for name, text in given.items()}


def _tell(added: control.Added, public_url: str, *, as_json: bool) -> None:
    address = public_url.rstrip("/")
    told = {
        "slug": added.slug,
        "organization_id": added.organization_id,
        "outcome": added.outcome,
        "webhook_url": address + added.webhook_path if added.webhook_path else None,
        "event_url": f"{address}/events/{added.slug}",
        "event_secret": added.made_event_secret,
    }
    if as_json:
        print_json(told)
        return
    lines = {
        f"store {added.slug}": f"{added.outcome} ({added.organization_id})",
        "webhook URL": told["webhook_url"] or "as told when it was made; a path token given now replaces it",
        "event URL": told["event_url"],
        "event secret": added.made_event_secret and f"{added.made_event_secret} (told this once)",
    }
    print("\n".join(f"{name:<14}{text}" for name, text in lines.items() if text))
