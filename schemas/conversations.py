"""What Chatwoot says about conversations and messages in its account webhooks, 3.x and 4.x: only what we use.

As observed on 3.16.0 and 4.13.0: inside a conversation unix seconds with 0 for "never", ISO 8601 elsewhere; a
conversation's `id` is its number within the account; no body names an event id or an order.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Status = Literal["open", "resolved", "pending", "snoozed"]
MessageType = Literal["incoming", "outgoing", "activity", "template"]


def _only_hash(value: Any) -> Any:
    # forms leave lists and texts where a survey leaves a hash
    return value if isinstance(value, dict) else None


class Inbound(BaseModel):
    """What others say: frozen, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Named(Inbound):
    """Account, inbox or team."""

    id: int
    name: str | None = None


class Sender(Inbound):
    """Who wrote: `type` is user, agent_bot or captain_assistant; a contact has none."""

    id: int
    name: str | None = None
    type: str | None = None


class Meta(Inbound):
    """Who is concerned. `assignee_type` exists in late 4.x only; there the assignee may be a bot."""

    sender: Named | None = None
    assignee: Sender | None = None
    assignee_type: str | None = None
    team: Named | None = None


class ContactInbox(Inbound):
    """The contact's session. Its pubsub token is a secret and stays out."""

    contact_id: int | None = None


class LastMessage(Inbound):
    """The conversation's last public message, which need not be the one the event is about."""

    id: int
    account_id: int | None = None
    updated_at: datetime | None = None


class Conversation(Inbound):
    """A conversation's state when the webhook was built, which is later than the event."""

    id: int
    inbox_id: int
    account: Named | None = None
    status: Status
    priority: str | None = None
    labels: tuple[str, ...] = ()
    first_reply_created_at: datetime | None = None
    snoozed_until: datetime | None = None
    waiting_since: int | None = None
    last_activity_at: int | None = None
    timestamp: int | None = None
    created_at: int
    updated_at: float | None = None
    contact_inbox: ContactInbox | None = None
    meta: Meta = Meta()
    messages: tuple[LastMessage, ...] = ()


class Changed(Inbound):
    """One entry of `changed_attributes`."""

    previous_value: Any = None
    current_value: Any = None


class ConversationEvent(Conversation):
    """conversation_created, _updated and _status_changed; the last comes without its change."""

    event: str
    changed_attributes: tuple[dict[str, Changed], ...] | None = None

    def changed(self, attribute: str) -> Changed | None:
        """This attribute's step, if the event names one."""
        return next((entry[attribute] for entry in self.changed_attributes or () if attribute in entry), None)


class SurveyAnswer(Inbound):
    """A CSAT answer; the text stays with Chatwoot."""

    rating: int | None = Field(default=None, ge=1, le=5)


class Submitted(Inbound):
    """What a visitor filled in; other forms leave lists here."""

    csat_survey_response: SurveyAnswer | None = None


class ContentAttributes(Inbound):
    """The marks of a message."""

    deleted: bool | None = None
    automation_rule_id: int | None = None
    external_echo: Any = None
    submitted_values: Annotated[Submitted | None, BeforeValidator(_only_hash)] = None


class AdditionalAttributes(Inbound):
    """The mark of a campaign."""

    campaign_id: int | None = None


class MessageEvent(Inbound):
    """message_created and message_updated."""

    event: str
    id: int
    account: Named | None = None
    inbox: Named | None = None
    message_type: MessageType
    content_type: str | None = None
    content_attributes: Annotated[ContentAttributes | None, BeforeValidator(_only_hash)] = None
    additional_attributes: Annotated[AdditionalAttributes | None, BeforeValidator(_only_hash)] = None
    private: bool = False
    sender: Sender | None = None
    created_at: datetime
    conversation: Conversation
