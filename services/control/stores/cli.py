"""`wootstream stores`: the operator's shops and their Chatwoot accounts."""

import asyncio
import sys
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from pydantic import ValidationError

from schemas.stores import StoreOptions
from services.control.stores import attach as control
from services.control.stores.declared import cli as declared
from services.control.stores.declared.cli import KeyLost
from services.control.stores.rotate_cli import rotate
from services.control.stores.set_cli import set_
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.errors import Refusal, describe

stores = typer.Typer(no_args_is_help=True, help="The shops and their Chatwoot accounts.")
stores.command()(rotate)
stores.command(name="set")(set_)
_COLUMNS = ("store", "status", "Chatwoot", "account", "release", "webhooks", "push", "domains", "zone", "organization")
_SECRET = "a secret; better from the environment, stdin or the prompt"  # noqa: S105
_IDENTITY = "the website inbox's hmac_token, for its visitors' identifier_hash; " + _SECRET
Slug = Annotated[str, typer.Argument(help="the store's short name, also in its URLs: a-z, 0-9 and -")]
BaseUrl = Annotated[str | None, typer.Option(help="its Chatwoot, like https://app.chatwoot.com")]
Account = Annotated[int | None, typer.Option(help="the account's id there")]
WebsiteToken = Annotated[str | None, typer.Option(help="of the account's website inbox")]
Name = Annotated[str | None, typer.Option(help="for people; default: the short name")]
Release = Annotated[str | None, typer.Option(help="Chatwoot's release; default: 4.13.0")]
Unsigned = Annotated[bool, typer.Option("--unsigned", help="before 4.11.2: the URL ends in a secret token")]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", help="a host of the storefront's pages, like www.shop.example; again for more"),
]
Push = Annotated[str | None, typer.Option(help="attributes to Chatwoot: off, shadow (default) or live")]
Locale = Annotated[str | None, typer.Option(help="language of the store; default: nl")]
Timezone = Annotated[str | None, typer.Option(help="zone of its days; default: Europe/Amsterdam")]
Currency = Annotated[str | None, typer.Option(help="three letters; default: EUR")]
Bots = Annotated[list[int] | None, typer.Option("--bot-inbox", help="where a bot answers first; again for more")]
Organization = Annotated[UUID | None, typer.Option(help="its row of public.organizations, where the host has them")]
ApiToken = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_API_TOKEN", help=_SECRET)]
WebhookSecret = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_WEBHOOK_SECRET", help=_SECRET)]
EventSecret = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_EVENT_SECRET", help=_SECRET)]
VouchingSecret = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_VOUCHING_SECRET", help=_SECRET)]
IdentityKey = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_IDENTITY_KEY", help=_IDENTITY)]
ShopifySecret = Annotated[
    str | None,
    typer.Option(envvar="WOOTSTREAM_STORE_SHOPIFY_SECRET", help="the client secret of its Shopify app; " + _SECRET),
]
ShopifyDomain = Annotated[str | None, typer.Option(help="its name at Shopify, like name.myshopify.com")]
EraseWhenRedacted = Annotated[
    bool | None,
    typer.Option(
        "--erase-when-redacted/--confirm-when-redacted",
        help="whether Shopify's shop/redact erases the whole store by itself; default: an operator confirms it",
    ),
]
ForgetPrevious = Annotated[
    bool, typer.Option("--forget-previous", help="end a rotation: only the current secrets count")
]
PathToken = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_PATH_TOKEN", help=_SECRET)]
Stdin = Annotated[bool, typer.Option("--secrets-stdin", help="read the secrets as one JSON object")]


@stores.command()
def add(
    slug: Slug,
    base_url: BaseUrl = None,
    account: Account = None,
    website_token: WebsiteToken = None,
    name: Name = None,
    release: Release = None,
    unsigned: Unsigned = False,
    domains: Domains = None,
    push: Push = None,
    locale: Locale = None,
    timezone: Timezone = None,
    currency: Currency = None,
    bots: Bots = None,
    organization: Organization = None,
    api_access_token: ApiToken = None,
    webhook_secret: WebhookSecret = None,
    event_secret: EventSecret = None,
    vouching_secret: VouchingSecret = None,
    identity_key: IdentityKey = None,
    shopify_secret: ShopifySecret = None,
    shopify_domain: ShopifyDomain = None,
    erase_when_redacted: EraseWhenRedacted = None,
    forget_previous: ForgetPrevious = False,
    key_lost: KeyLost = False,
    path_token: PathToken = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Attach an existing account, or change what the options name; the rest stays as it is.

    Secrets are best kept off the command line: from the environment, as one JSON object on stdin, or asked for on a
    terminal. A new store gets an event secret and a vouching secret made where none is given, an unsigned one a token
    for its webhook URL; all are told once. A changed secret is good beside the new one until --forget-previous.
    """
    secrets = {"api_access_token": api_access_token, "webhook_secret": webhook_secret, "event_secret": event_secret,
               "vouching_secret": vouching_secret, "identity_key": identity_key, "shopify_secret": shopify_secret,
               "path_token": path_token}  # fmt: skip
    secrets = _read(secrets) if stdin else _asked(secrets, unsigned)
    store = _store(
        slug=slug, base_url=base_url, account_id=account, website_token=website_token, name=name, release=release,
        unsigned=unsigned, domains=domains, push=push, locale=locale, timezone=timezone, currency=currency,
        bot_inboxes=bots or (), organization_id=organization, forget_previous=forget_previous,
        shopify_domain=shopify_domain, erase_when_redacted=erase_when_redacted, key_lost=key_lost, **secrets,
    )  # fmt: skip
    settings = installed(kafka=False)
    _tell(asyncio.run(control.add(settings, store)), settings.public_url, as_json=as_json)


@stores.command(name="list")
def list_(as_json: Json = False) -> None:
    """Every store, without its secrets."""
    rows = asyncio.run(control.listed(installed(kafka=False)))
    if as_json:
        print_json(rows)
        return
    cells = [
        (row["slug"], row["account_status"], row["chatwoot_base_url"], row["chatwoot_account_id"], row["release"],
         "unsigned" if row["unsigned"] else "signed", row["push"], " ".join(row["domains"]), row["timezone"],
         row["organization_id"])
        for row in rows
    ]  # fmt: skip
    show(_COLUMNS, cells, footer="" if rows else "none yet: add one with `wootstream stores add`")


def _store(slug: str, **given: Any) -> StoreOptions:
    try:
        return StoreOptions.model_validate({"slug": slug} | given)
    except ValidationError as error:
        raise Refusal(f"store {slug} cannot be added: {describe(error)}") from error


def _read(given: dict[str, str | None]) -> dict[str, str | None]:
    """Secrets on stdin win over those of the environment."""
    try:
        read = orjson.loads(sys.stdin.buffer.read())
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict) or not read.keys() <= given.keys():
        raise Refusal(f"--secrets-stdin needs one JSON object with some of {', '.join(given)}")
    return given | read


def _asked(given: dict[str, str | None], unsigned: bool) -> dict[str, str | None]:
    """What a person at a terminal says where the environment says nothing."""
    if sys.stdin.isatty():
        signed = not unsigned and not given["path_token"]
        for name in ("api_access_token", *(("webhook_secret",) if signed else ())):
            given[name] = given[name] or typer.prompt(
                f"{name} (empty: leave as it is)", hide_input=True, default="", show_default=False, err=True
            )
    return {name: text or None for name, text in given.items()}


def _tell(added: control.Added, public_url: str, *, as_json: bool) -> None:
    answer = added.as_json(public_url)
    if as_json:
        print_json(answer)
        return
    lines = {
        f"store {added.slug}": f"{added.outcome} ({added.organization_id})",
        "webhook URL": answer["webhook_url"] or "as told when it was made; a path token given now replaces it",
        "event URL": answer["event_url"],
        "event secret": added.made_event_secret and f"{added.made_event_secret} (told this once)",
        "vouching secret": added.made_vouching_secret and f"{added.made_vouching_secret} (told this once)",
        "to do": added.to_do,
    }
    print("\n".join(f"{name:<16}{text}" for name, text in lines.items() if text))


declared.add_to(stores)
