"""A store: one shop with its Chatwoot account, as the operator describes it."""

import re
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from schemas.vouching import SECRET_PREFIX, key

_BASE64 = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}")
SLUG = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def _a_key(secret: SecretStr) -> SecretStr:
    """The doors could verify nothing with what is no base64, and each library reads what is half of it otherwise."""
    text = secret.get_secret_value()
    if not _BASE64.fullmatch(text.removeprefix(SECRET_PREFIX)):
        raise ValueError("is no base64: it looks like whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    key(text)
    return secret


Secret = Annotated[SecretStr, Field(min_length=1)]
ShopSecret = Annotated[Secret, AfterValidator(_a_key)]


class Store(BaseModel):
    """An existing account to attach, or what to change about an attached one: what is None stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    slug: str = Field(pattern=SLUG)
    organization_id: UUID | None = None
    name: str | None = Field(None, min_length=1)
    base_url: str | None = Field(None, pattern=r"^https?://[^/\s]+$")
    account_id: int | None = Field(None, gt=0, lt=2**31)
    release: str | None = Field(None, pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?$")
    website_token: str | None = Field(None, min_length=8)
    api_access_token: Secret | None = None
    webhook_secret: Secret | None = None
    event_secret: ShopSecret | None = None
    vouching_secret: ShopSecret | None = None
    forget_previous: bool = False
    unsigned: bool = False
    path_token: SecretStr | None = Field(None, min_length=16)
    domains: tuple[str, ...] | None = None
    push: Literal["off", "shadow", "live"] | None = None
    locale: str | None = Field(None, pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")
    timezone: str | None = None
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$")
    bot_inboxes: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _proves_its_webhooks_in_one_way(self) -> Self:
        """By a signature, or, for releases before 4.11.2, by a secret token at the end of the URL."""
        if self.webhook_secret and (self.unsigned or self.path_token):
            raise ValueError("give either a webhook secret (Chatwoot 4.11.2 and later) or `unsigned`, not both")
        return self
