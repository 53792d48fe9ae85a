"""`stores.yaml`: every store of an installation, as its operator wants it. No secret stands in it, only its place."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.bounds import MOST_ELEMENTS, URL_CHARACTERS, Id
from schemas.provisioning import Host, Locale
from schemas.stores import SLUG, WEBSITE_TOKEN, AttributeNames, Email, MyshopifyName, OperatorText, PageHost, page_host
from schemas.tiers import TierRules
from schemas.values.formats import Formats

_REFERENCE = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"
_MOST_STORES = 5_000


def _no_value(value: object) -> object:
    """The sentence does not repeat what may be a secret."""
    if not isinstance(value, str) or not value.startswith(("env:", "file:")):
        raise ValueError("name the secret's place, env:NAME or file:PATH, never the secret")
    return value


def _of_pages(url: str) -> str:
    """Where no `domains` are said, its host is the store's."""
    page_host(urlsplit(url).netloc)
    return url


BASE_URL = r"^https?://[^/\s\x00]+$"
Reference = Annotated[
    str,
    Field(pattern=_REFERENCE, max_length=URL_CHARACTERS, description="where the secret is: env:NAME or file:PATH"),
    BeforeValidator(_no_value),
]
WebsiteUrl = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=URL_CHARACTERS), AfterValidator(_of_pages)]
LabelName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,255}$")]  # as Chatwoot keeps them: lower case


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Server(_Model):
    """A Chatwoot."""

    base_url: Annotated[str, Field(pattern=BASE_URL, max_length=URL_CHARACTERS)] = Field(
        description="like https://chatwoot.example"
    )
    platform_token: Reference | None = Field(
        None, description="of a platform app (super admin, Platform Apps): makes accounts; app.chatwoot.com has none"
    )


class DeclaredAgent(_Model):
    """Somebody who answers in the store's website inbox. Whoever is new gets Chatwoot's mail of invitation."""

    email: Email
    name: OperatorText
    role: Literal["agent", "administrator"] = "agent"


class DeclaredBot(_Model):
    """A bot that answers first in the store's website inbox."""

    name: OperatorText
    outgoing_url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=URL_CHARACTERS)] = Field(
        description="where Chatwoot posts what the bot shall answer"
    )


class StoreDefaults(_Model):
    """What holds for every store that does not say otherwise."""

    chatwoot: str | None = Field(None, description="which of `chatwoots`")
    locale: Locale | None = None
    timezone: OperatorText | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    push: Literal["off", "shadow", "live"] | None = None
    create_contacts: bool | None = Field(
        None, description="also make contacts of customers whom Chatwoot does not know; default: no"
    )
    seal: bool | None = Field(
        None, description="encrypt the store's records in the topics with keys of their people's own; default: no"
    )
    allowed_attributes: AttributeNames | None = Field(
        None, description="which attributes may leave for Chatwoot; default: all of them"
    )
    tiers: TierRules | None = Field(None, description="from which spending or how many orders on a customer has a tier")
    formats: Formats | None = Field(
        None, description="how money, days and numbers are written in attributes; default: as specified"
    )
    agents_may_change: AttributeNames | None = Field(
        None, description="attributes that stay as somebody in Chatwoot has set them; all others are set back"
    )
    labels: Annotated[tuple[LabelName, ...], Field(max_length=MOST_ELEMENTS)] | None = Field(
        None, description="labels that must be there; others are left alone"
    )
    hmac_mandatory: bool | None = Field(
        None, description="left out: true for an inbox that is made, and left alone in one that was there"
    )


class StoreEntry(StoreDefaults):
    """One store: with `account_id` an account that is there, without it one that is made."""

    account_name: OperatorText | None = Field(None, description="the account's name; default: the short name")
    email: Email | None = Field(None, description="the store's address; support_email's where that is left out")
    support_email: Email | None = None
    domain: Host | None = Field(
        None, description="the account's domain, and the storefront's where `domains` and `website_url` are left out"
    )
    domains: Annotated[tuple[PageHost, ...], Field(max_length=MOST_ELEMENTS)] | None = Field(
        None, description="of the storefront: pages there may open the widget and send beacons"
    )
    website_url: WebsiteUrl | None = None
    agent_email: Email | None = Field(None, description="the technical user's address; it must be nobody else's")
    account_id: Id | None = Field(None, description="of an account that is there")
    api_access_token: Reference | None = Field(None, description="of an administrator of that account")
    website_token: Annotated[str, Field(pattern=WEBSITE_TOKEN)] | None = Field(
        None, description="which website inbox, where the account has several"
    )
    event_secret: Reference | None = None
    vouching_secret: Reference | None = None
    shopify_secret: Reference | None = Field(
        None, description="the client secret of its Shopify app, which signs /shopify/{store}"
    )
    shopify_domain: MyshopifyName | None = Field(None, description="its name at Shopify, like name.myshopify.com")
    erase_when_redacted: bool | None = Field(
        None,
        description="whether Shopify's shop/redact erases the whole store by itself; default: an operator confirms it",
    )
    agents: Annotated[tuple[DeclaredAgent, ...], Field(max_length=MOST_ELEMENTS)] = Field(
        (), description="who must be there; others are left alone"
    )
    bot: DeclaredBot | None = Field(None, description="left out: the inbox's bot, if it has one, is left alone")
    bot_inboxes: Annotated[tuple[Id, ...], Field(max_length=MOST_ELEMENTS)] = ()
    organization_id: UUID | None = None

    @model_validator(mode="after")
    def _is_there_or_is_made(self) -> Self:
        if self.account_id and not self.api_access_token:
            raise ValueError("an account that is there needs api_access_token, of one of its administrators")
        if not self.account_id and (self.api_access_token or self.website_token):
            raise ValueError(
                "api_access_token and website_token belong to an account that is there: say its account_id"
            )
        if not self.account_id and not (self.website_url or self.domain or self.domains):
            raise ValueError("a new account's inbox needs website_url, domain or domains")
        if self.shopify_secret and not self.shopify_domain:
            raise ValueError("shopify_secret needs shopify_domain")
        return self


class StoresFile(_Model):
    """The whole file."""

    chatwoots: Annotated[dict[str, Server], Field(min_length=1, max_length=MOST_ELEMENTS)] = Field(
        description="the servers, by names of your own"
    )
    defaults: StoreDefaults = StoreDefaults()
    stores: Annotated[dict[Annotated[str, Field(pattern=SLUG)], StoreEntry], Field(max_length=_MOST_STORES)] = Field(
        description="by short name, which is also in their URLs"
    )
