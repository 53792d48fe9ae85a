"""How Chatwoot answers about what a store is set up with (facts §3, §4.5 to §4.7), 3.x and 4.x: only what we use.

Lists that decide whether something is made are strict: an entry that cannot be read must not look like one that is
not there.
"""

from typing import Annotated

from pydantic import Field, SecretStr

from schemas.bounds import MOST_ELEMENTS, URL_CHARACTERS, Id, Name, OrNone
from schemas.chatwoot.conversations import Inbound
from schemas.chatwoot.webhooks import Attributes

STORE_MARK = "wootstream_store"  # the account's custom attribute that names the store it was made for
_MOST_ACCOUNTS = 20_000
_Url = Annotated[str, Field(max_length=4 * URL_CHARACTERS)]


class PlatformAccount(Inbound):
    """`POST`, `GET accounts/:id` and one of `GET accounts` of the Platform API."""

    id: Id
    name: OrNone[Name] = None
    status: OrNone[Name] = None
    custom_attributes: Attributes = Field(default_factory=dict)

    @property
    def store(self) -> str | None:
        """The id of the store that we made it for."""
        found = self.custom_attributes.get(STORE_MARK)
        return found if isinstance(found, str) else None


PlatformAccounts = Annotated[tuple[PlatformAccount, ...], Field(max_length=_MOST_ACCOUNTS)]


class Membership(Inbound):
    id: Id
    name: OrNone[Name] = None
    role: OrNone[Name] = None
    status: OrNone[Name] = None


class User(Inbound):
    """`POST users` of the Platform API; `GET profile` looks the same. 3.x has no other way to the token."""

    id: Id
    email: OrNone[Name] = None
    access_token: OrNone[SecretStr] = None
    accounts: Annotated[tuple[Membership, ...], Field(max_length=MOST_ELEMENTS)] = ()


class Token(Inbound):
    """`POST users/:id/token` of the Platform API, since 4.3."""

    access_token: SecretStr


class SetUpInbox(Inbound):
    """One of `GET inboxes` and the answer of `POST` and `PATCH`; 3.x shows no `allowed_domains`."""

    id: Id
    name: OrNone[Name] = None
    channel_type: Name
    website_token: OrNone[Name] = None
    website_url: OrNone[_Url] = None
    hmac_token: OrNone[SecretStr] = None  # administrators see it
    hmac_mandatory: OrNone[bool] = None
    allowed_domains: OrNone[str] = None

    @property
    def is_widget(self) -> bool:
        return self.channel_type == "Channel::WebWidget"


class SetUpInboxes(Inbound):
    payload: Annotated[tuple[SetUpInbox, ...], Field(max_length=2 * MOST_ELEMENTS)]


class AccountWebhook(Inbound):
    """One of `GET webhooks`; it has a secret since 4.11.2."""

    id: Id
    url: _Url
    subscriptions: Annotated[tuple[str, ...], Field(max_length=MOST_ELEMENTS)] = ()
    secret: OrNone[SecretStr] = None


class _Webhooks(Inbound):
    webhooks: Annotated[tuple[AccountWebhook, ...], Field(max_length=MOST_ELEMENTS)]


class AccountWebhooks(Inbound):
    payload: _Webhooks


class Definition(Inbound):
    """One of `GET custom_attribute_definitions`."""

    id: Id
    attribute_key: Name
    attribute_display_type: Name
    attribute_values: OrNone[tuple[str, ...]] = None


Definitions = Annotated[tuple[Definition, ...], Field(max_length=2 * MOST_ELEMENTS)]


class Label(Inbound):
    id: Id
    title: Name


class Labels(Inbound):
    payload: Annotated[tuple[Label, ...], Field(max_length=2 * MOST_ELEMENTS)]


class SetUpAgent(Inbound):
    """One of `GET agents`, and of the members of an inbox."""

    id: Id
    email: OrNone[Name] = None
    role: OrNone[Name] = None


SetUpAgents = Annotated[tuple[SetUpAgent, ...], Field(max_length=2 * MOST_ELEMENTS)]


class InboxMembers(Inbound):
    """`GET inbox_members/:inbox`."""

    payload: SetUpAgents


class SetUpBot(Inbound):
    """One of `GET agent_bots`."""

    id: Id
    name: OrNone[Name] = None
    outgoing_url: OrNone[_Url] = None


SetUpBots = Annotated[tuple[SetUpBot, ...], Field(max_length=2 * MOST_ELEMENTS)]


class SetupRefused(Inbound):
    """A 4xx, whose texts are in the account's language: attributes say which column, `error` is Chatwoot's own."""

    attributes: OrNone[tuple[Name, ...]] = None
    error: OrNone[Name] = None
