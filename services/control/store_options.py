"""What `stores add` may be told, in the words of its --help."""

from typing import Annotated
from uuid import UUID

import typer

_SECRET = "a secret; better from the environment, stdin or the prompt"  # noqa: S105

Slug = Annotated[str, typer.Argument(help="the store's short name, also in its URLs: a-z, 0-9 and -")]
BaseUrl = Annotated[str | None, typer.Option(help="its Chatwoot, like https://app.chatwoot.com")]
Account = Annotated[int | None, typer.Option(help="the account's id there")]
WebsiteToken = Annotated[str | None, typer.Option(help="of the account's website inbox")]
Name = Annotated[str | None, typer.Option(help="for people; default: the short name")]
Release = Annotated[str | None, typer.Option(help="Chatwoot's release; default: 4.13.0")]
Unsigned = Annotated[bool, typer.Option("--unsigned", help="before 4.11.2: the URL ends in a secret token")]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="a domain of the storefront; again for more")]
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
ForgetPrevious = Annotated[
    bool, typer.Option("--forget-previous", help="end a rotation: only the current secrets count")
]
PathToken = Annotated[str | None, typer.Option(envvar="WOOTSTREAM_STORE_PATH_TOKEN", help=_SECRET)]
Stdin = Annotated[bool, typer.Option("--secrets-stdin", help="read the secrets as one JSON object")]
