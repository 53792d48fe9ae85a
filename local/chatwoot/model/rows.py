"""The rows the double keeps, named as Chatwoot's tables are."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

JsonObject = dict[str, Any]
type_of_message = {"incoming": 0, "outgoing": 1, "activity": 2, "template": 3}


@dataclass(slots=True, kw_only=True)
class User:
    id: int
    name: str
    email: str
    token: str
    pubsub_token: str
    custom_attributes: JsonObject | None = None


@dataclass(slots=True, kw_only=True)
class Bot:
    id: int
    account_id: int
    name: str
    outgoing_url: str | None
    token: str
    secret: str


@dataclass(slots=True, kw_only=True)
class Inbox:
    id: int
    channel_id: int
    account_id: int
    channel_type: str
    settings: JsonObject
    channel: JsonObject
    token: str  # website_token or inbox_identifier
    hmac_token: str
    secret: str | None
    created_at: datetime
    updated_at: datetime
    bot: Bot | None = None
    members: set[int] = field(default_factory=set)  # users' ids

    @property
    def is_widget(self) -> bool:
        return self.channel_type == "Channel::WebWidget"


@dataclass(slots=True, kw_only=True)
class Contact:
    id: int
    account_id: int
    created_at: datetime
    updated_at: datetime
    name: str = ""
    email: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    blocked: bool = False
    contact_type: str = "visitor"
    additional_attributes: JsonObject = field(default_factory=dict)
    custom_attributes: JsonObject = field(default_factory=dict)
    last_activity_at: datetime | None = None
    labels: list[str] = field(default_factory=list)
    notes: list[JsonObject] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class ContactInbox:
    """A contact's identity in one inbox; for a widget, one browser session."""

    id: int
    contact_id: int
    inbox_id: int
    source_id: str
    pubsub_token: str
    created_at: datetime
    hmac_verified: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    id: int
    conversation: "Conversation"
    message_type: str
    content: str | None
    created_at: datetime
    updated_at: datetime
    sender: User | Bot | Contact | None = None
    private: bool = False
    content_type: str = "text"
    content_attributes: JsonObject = field(default_factory=dict)
    source_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Conversation:
    display_id: int
    account_id: int
    inbox_id: int
    contact_id: int
    contact_inbox: ContactInbox
    uuid: str
    created_at: datetime
    updated_at: datetime
    last_activity_at: datetime
    waiting_since: datetime | None
    status: str = "open"
    priority: str | None = None
    assignee_id: int | None = None
    team_id: int | None = None
    snoozed_until: datetime | None = None
    first_reply_created_at: datetime | None = None
    label_list: list[str] = field(default_factory=list)
    custom_attributes: JsonObject = field(default_factory=dict)
    additional_attributes: JsonObject = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvent:
    """What Chatwoot's reports are reckoned from; `value` is whole seconds, of two moments cut to seconds."""

    name: str
    value: int
    inbox_id: int
    user_id: int | None
    conversation_id: int  # its display id
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class Webhook:
    id: int
    account_id: int
    url: str
    name: str | None
    subscriptions: list[str]
    secret: str | None


@dataclass(slots=True, kw_only=True)
class Account:
    """`settings` is what the Platform API shows; what only lists need is kept as the JSON that is listed."""

    id: int
    settings: JsonObject
    members: dict[int, JsonObject] = field(default_factory=dict)  # user id -> account_users row
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    conversations: dict[int, Conversation] = field(default_factory=dict)  # display id -> conversation
    teams: dict[int, JsonObject] = field(default_factory=dict)
    definitions: dict[int, JsonObject] = field(default_factory=dict)
    labels: dict[int, JsonObject] = field(default_factory=dict)
    rules: dict[int, JsonObject] = field(default_factory=dict)
    answers: dict[int, JsonObject] = field(default_factory=dict)  # message id -> CSAT answer
    reported: list[ReportedEvent] = field(default_factory=list)
    displayed: int = 0

    @property
    def name(self) -> str:
        return str(self.settings["name"])
