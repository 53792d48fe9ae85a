"""A store: one shop with its Chatwoot account, as the operator describes it."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Store(BaseModel):
    """An existing account to attach. `push` starts in shadow: differences are computed and shown, nothing is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    organization_id: UUID
    slug: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    name: str
    base_url: str = Field(pattern=r"^https?://[^/]+$")
    account_id: int = Field(gt=0, lt=2**31)
    website_token: str = Field(min_length=8)
    release: str = Field("4.13.0", pattern=r"^\d+\.\d+(\.\d+)?$")
    api_access_token: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    event_secret: SecretStr | None = None
    path_token: SecretStr | None = None
    domains: tuple[str, ...] = ()
    push: Literal["off", "shadow", "live"] = "shadow"
    locale: str = "nl"
    timezone: str = "Europe/Amsterdam"
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    bot_inboxes: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _proves_its_webhooks(self) -> "Store":
        """Signed by a secret, or, for releases before 4.11.2, unsigned with a secret token at the end of the URL."""
        if (self.webhook_secret is None) == (self.path_token is None):
            raise ValueError(
                "give either a webhook secret (Chatwoot 4.11.2 and later) or a path token (unsigned releases)"
            )
        return self

    @property
    def unsigned(self) -> bool:
        return self.path_token is not None
