"""A store: one shop with its Chatwoot account, as the operator describes it."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema, model_validator

from schemas import bounds
from schemas.attributes import PUSHED
from schemas.bounds import MOST_ELEMENTS, NAME_CHARACTERS, URL_CHARACTERS, Id
from schemas.chatwoot.rest import ReleaseNumber
from schemas.tiers import TierRules
from schemas.values.formats import Formats
from schemas.vouching import SECRET_PREFIX, key

_BASE64 = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}")
_SEEN = re.compile(r"[!-~]+")
_LONGEST_SECRET = 1_024
SLUG = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
# With a scheme where it is not https; an address of IPv6 stands in brackets.
_PAGE_HOST = r"([A-Za-z][A-Za-z0-9+.-]*://)?([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?/?"
# It stands in a URL; Chatwoot makes it of 24 letters and digits.
WEBSITE_TOKEN = r"^[A-Za-z0-9_-]{8,255}$"  # noqa: S105  a pattern


def _storable(value: str) -> str:
    """Nothing of what an operator says is changed silently."""
    if bounds.text(value, len(value)) != value:
        raise ValueError("holds a character that cannot be kept")
    return value


OperatorText = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS), AfterValidator(_storable)]


def page_host(value: str) -> str:
    """A browser names a page by scheme, host and port alone, in ASCII: what is written otherwise names no page."""
    match = re.fullmatch(_PAGE_HOST, value)
    if not match or int(match["port"] or 1) not in range(1, 65_536):
        raise ValueError(
            "is no host of pages: it looks like www.shop.example or shop.example:8443, each host by itself, without "
            "path or *, in the letters that browsers send (xn--mnchen-3ya.example for münchen.example)"
        )
    return value


def _a_key(secret: SecretStr) -> SecretStr:
    """The doors could verify nothing with what is no base64, and each library reads what is half of it otherwise."""
    text = secret.get_secret_value()
    if not _BASE64.fullmatch(text.removeprefix(SECRET_PREFIX)):
        raise ValueError("is no base64: it looks like whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    key(text)
    return secret


def reachable(address: str) -> str:
    """Whatever calls it splits it first, and a port beyond 65535 is no error of any client's but the socket's."""
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise ValueError("has a host or a port that is none")
    return address


def in_a_header(secret: SecretStr) -> SecretStr:
    """A token goes to Chatwoot in a header, which takes what is seen of ASCII and nothing else."""
    if not _SEEN.fullmatch(secret.get_secret_value()):
        raise ValueError("holds a space or another character that no token has")
    return secret


def _pushed(name: str) -> str:
    if name not in PUSHED:
        raise ValueError(f"is none of {', '.join(sorted(PUSHED))}")
    return name


_SHOWN_HOST = {"pattern": f"^{_PAGE_HOST.replace('?P<port>', '')}$"}
PageHost = Annotated[OperatorText, AfterValidator(page_host), Field(json_schema_extra=_SHOWN_HOST)]
Email = Annotated[str, Field(pattern=r"^[^@\s\x00]{1,64}@[^@\s\x00]{1,190}$")]
AttributeName = Annotated[str, AfterValidator(_pushed), WithJsonSchema({"enum": sorted(PUSHED)})]
AttributeNames = Annotated[tuple[AttributeName, ...], Field(max_length=len(PUSHED))]
ChatwootUrl = Annotated[
    str, Field(pattern=r"^https?://[^/\s\x00]+$", max_length=URL_CHARACTERS), AfterValidator(reachable)
]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=_LONGEST_SECRET)]
MyshopifyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]?\.myshopify\.com$")]
ShopSecret = Annotated[Secret, AfterValidator(_a_key)]
TokenSecret = Annotated[Secret, AfterValidator(in_a_header)]


class StoreOptions(BaseModel):
    """An existing account to attach, or what to change about an attached one: what is None stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    slug: str = Field(pattern=SLUG)
    organization_id: UUID | None = None
    name: OperatorText | None = None
    base_url: ChatwootUrl | None = None
    account_id: Id | None = None
    release: ReleaseNumber | None = None
    website_token: str | None = Field(None, pattern=WEBSITE_TOKEN)
    api_access_token: TokenSecret | None = None
    webhook_secret: Secret | None = None
    event_secret: ShopSecret | None = None
    vouching_secret: ShopSecret | None = None
    identity_key: Secret | None = None
    shopify_secret: Secret | None = None
    shopify_domain: MyshopifyName | None = None
    erase_when_redacted: bool | None = None
    forget_previous: bool = False
    key_lost: bool = Field(False, description="what an installation key sealed that is lost for good is given up")
    unsigned: bool = False
    path_token: Annotated[Secret, Field(min_length=16)] | None = None
    domains: Annotated[tuple[PageHost, ...], Field(max_length=MOST_ELEMENTS)] | None = None
    push: Literal["off", "shadow", "live"] | None = None
    locale: str | None = Field(None, pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,8}$")
    timezone: OperatorText | None = None
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$")
    support_email: Email | None = None
    create_contacts: bool | None = None
    seal: bool | None = None
    allowed_attributes: AttributeNames | None = None
    tiers: TierRules | None = None
    formats: Formats | None = None
    agents_may_change: AttributeNames | None = None
    bot_inboxes: Annotated[tuple[Id, ...], Field(max_length=MOST_ELEMENTS)] = ()

    @model_validator(mode="after")
    def _proves_its_webhooks_in_one_way(self) -> Self:
        """By a signature, or, for releases before 4.11.2, by a secret token at the end of the URL."""
        if self.webhook_secret and (self.unsigned or self.path_token):
            raise ValueError("give either a webhook secret (Chatwoot 4.11.2 and later) or `unsigned`, not both")
        return self
