"""What Chatwoot's API answers about an account, as observed on 3.16.0 and 4.13.0: only what we use.

Other types than in webhooks: kinds of messages are numbers, moments are unix seconds with 0 for "never". A record of
the topic holds one conversation with its messages, as the API told them at one moment.
"""

from typing import Annotated, Any

from pydantic import Field

from schemas.bounds import Count, Elements, FineSeconds, Id, LongId, Moment, Name, OrElse, OrNone, Seconds
from schemas.chatwoot.conversations import ContentAttributes, ConversationStatus, Inbound, Meta, Sender
from schemas.reports import Totals

CONVERSATION = "rest.conversation"
_MOST_INBOXES = 2_000  # each is asked for its bot
ReleaseNumber = Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}([.+-][0-9A-Za-z.+-]{0,32})?$")]


class Version(Inbound):
    """`GET /api`, which wants no token."""

    version: ReleaseNumber


class ApiInbox(Inbound):
    """One of `GET inboxes`."""

    id: Id
    name: OrNone[Name] = None


class Inboxes(Inbound):
    payload: Annotated[tuple[ApiInbox, ...], Field(max_length=_MOST_INBOXES)]


class InboxBot(Inbound):
    """`GET inboxes/:id/agent_bot`: the key is always there; what it holds is empty where no bot is set."""

    agent_bot: dict[str, Any] | None

    @property
    def is_set(self) -> bool:
        return bool(self.agent_bot)


class Agent(Inbound):
    """One of `GET agents`; a team of `GET teams` looks the same to us."""

    id: Id
    name: OrNone[Name] = None


class ApiMessage(Inbound):
    """One of `GET conversations/:id/messages`. It does not say which campaign sent it."""

    id: LongId
    message_type: int = Field(ge=0, le=3)  # incoming, outgoing, activity, template
    content_type: OrNone[Name] = None
    content_attributes: OrNone[ContentAttributes] = None
    private: Annotated[bool, OrElse(False)] = False
    sender: OrNone[Sender] = None
    created_at: Seconds


class Messages(Inbound):
    payload: tuple[ApiMessage, ...]


class ApiConversation(Inbound):
    """One of `GET conversations`; its `updated_at` exists since 4.0.2."""

    id: Id
    inbox_id: Id
    status: ConversationStatus
    priority: OrNone[Name] = None
    labels: Elements[Name] = ()
    first_reply_created_at: OrNone[Seconds] = None
    snoozed_until: OrNone[Moment] = None
    waiting_since: OrNone[Seconds] = None
    last_activity_at: OrNone[Seconds] = None
    created_at: Seconds
    updated_at: OrNone[FineSeconds] = None
    meta: Annotated[Meta, OrElse(Meta())] = Meta()


class PageCounts(Inbound):
    all_count: Annotated[Count, OrElse(0)] = 0


class Page(Inbound):
    meta: Annotated[PageCounts, OrElse(PageCounts())] = PageCounts()
    payload: tuple[ApiConversation, ...]


class Conversations(Inbound):
    """`GET conversations`: pages, the last of them empty."""

    data: Page


class History(Inbound):
    """A record of the topic: one conversation as the API told it."""

    conversation: ApiConversation
    messages: tuple[ApiMessage, ...]


class Summary(Totals):
    """`GET /api/v2/accounts/:id/reports/summary`."""

    model_config = Inbound.model_config
