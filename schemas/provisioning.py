"""The specification's requests for a new account and for a token, as the API and the command line take them.

Chatwoot itself takes none of them as they are; `docs/deviations.md` says what becomes of each field.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from schemas.bounds import URL_CHARACTERS, Id
from schemas.stores import SLUG, ChatwootUrl, Email, OperatorText, in_a_header

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,98}[A-Za-z0-9])?(:[0-9]{1,5})?$")]
Locale = Annotated[str, Field(pattern=r"^[a-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,8}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CreateAccountRequest(_Model):
    """A new account on a Chatwoot of one's own."""

    account_name: str = Field(pattern=SLUG)  # "aurelio-living-amsterdam": also the store's short name
    email: Email
    locale: Locale | None = None
    domain: Host | None = None
    support_email: Email | None = None
    timezone: OperatorText | None = None


class GenerateTokenRequest(_Model):
    """A token of somebody who may act in the account."""

    account_id: Id
    agent_email: Email
    role: Literal["administrator", "agent"]


class _OnServer(_Model):
    """On which Chatwoot, and what lets us make something there."""

    base_url: ChatwootUrl
    platform_token: Annotated[SecretStr, Field(min_length=1, max_length=URL_CHARACTERS), AfterValidator(in_a_header)]


class CreateAccountOnServer(CreateAccountRequest, _OnServer):
    """The specification's request, and where."""

    domain: Host


class GenerateTokenOnServer(GenerateTokenRequest, _OnServer):
    """The specification's request, and where."""


class GenerateTokenResponse(_Model):
    access_token: SecretStr
    website_token: str
    expires_at: None = None  # Chatwoot's tokens do not expire
