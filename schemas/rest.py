"""What Chatwoot's API answers about an account, as observed on 3.16.0 and 4.13.0: only what we use.

Other types than in webhooks: kinds of messages are numbers, moments are unix seconds with 0 for "never". A record of
the topic holds one conversation with its messages, as the API told them at one moment.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from schemas.conversations import ContentAttributes, Inbound, Meta, Sender, Status
from schemas.reports import Totals

CONVERSATION = "rest.conversation"


class Version(Inbound):
    """`GET /api`, which wants no token."""

    version: str = Field(pattern=r"^\d+\.\d+")


class Inbox(Inbound):
    """One of `GET inboxes`."""

    id: int
    name: str | None = None


class Inboxes(Inbound):
    payload: tuple[Inbox, ...]


class InboxBot(Inbound):
    """`GET inboxes/:id/agent_bot`: the key is always there; what it holds is empty where no bot is set."""

    agent_bot: dict[str, Any] | None

    @property
    def is_set(self) -> bool:
        return bool(self.agent_bot)


class Agent(Inbound):
    """One of `GET agents`; a team of `GET teams` looks the same to us."""

    id: int
    name: str | None = None


class Message(Inbound):
    """One of `GET conversations/:id/messages`. It does not say which campaign sent it."""

    id: int
    message_type: int = Field(ge=0, le=3)  # incoming, outgoing, activity, template
    content_type: str | None = None
    content_attributes: Annotated[
        ContentAttributes | None, BeforeValidator(lambda value: value if isinstance(value, dict) else None)
    ] = None
    private: bool = False
    sender: Sender | None = None
    created_at: int


class Messages(Inbound):
    payload: tuple[Message, ...]


class Conversation(Inbound):
    """One of `GET conversations`; its `updated_at` exists since 4.0.2."""

    id: int
    inbox_id: int
    status: Status
    priority: str | None = None
    labels: tuple[str, ...] = ()
    first_reply_created_at: int | None = None
    snoozed_until: datetime | None = None
    waiting_since: int | None = None
    last_activity_at: int | None = None
    created_at: int
    updated_at: float | None = None
    meta: Meta = Meta()


class Counts(Inbound):
    all_count: int = 0


class Page(Inbound):
    meta: Counts = Counts()
    payload: tuple[Conversation, ...]


class Conversations(Inbound):
    """`GET conversations`: pages, the last of them empty."""

    data: Page


class History(Inbound):
    """A record of the topic: one conversation as the API told it."""

    conversation: Conversation
    messages: tuple[Message, ...]


class Summary(Totals):
    """`GET /api/v2/accounts/:id/reports/summary`."""

    model_config = Inbound.model_config
