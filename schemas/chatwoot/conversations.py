"""What Chatwoot says about conversations and messages in its account webhooks, 3.x and 4.x: only what we use.

As observed on 3.16.0 and 4.13.0: inside a conversation unix seconds with 0 for "never", ISO 8601 elsewhere; a
conversation's `id` is its number within the account; no body names an event id or an order.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.bounds import Elements, FineSeconds, Id, LongId, Mark, Moment, Name, OrElse, OrNone, OrOmitted, Seconds

ConversationStatus = Literal["open", "resolved", "pending", "snoozed"]
MessageType = Literal["incoming", "outgoing", "activity", "template"]


class Inbound(BaseModel):
    """What others say: frozen, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Numbered(Inbound):
    """Contact or team."""

    id: Id


class Named(Inbound):
    """Inbox."""

    id: Id
    name: OrNone[Name] = None


class Sender(Inbound):
    """Who wrote: `type` is user, agent_bot or captain_assistant; a contact has none."""

    id: OrNone[Id] = None
    type: OrNone[Name] = None


class Assignee(Inbound):
    """A person, or in late 4.x a bot."""

    id: Id
    name: OrNone[Name] = None
    type: OrNone[Name] = None


class Meta(Inbound):
    """Who is concerned. `assignee_type` exists in late 4.x only; there the assignee may be a bot."""

    sender: OrNone[Numbered] = None
    assignee: OrNone[Assignee] = None
    assignee_type: OrNone[Name] = None
    team: OrNone[Numbered] = None


class ContactInbox(Inbound):
    """The contact's session. Its pubsub token is a secret and stays out."""

    contact_id: OrNone[Id] = None


class LastMessage(Inbound):
    """The conversation's last public message, which need not be the one the event is about."""

    updated_at: OrNone[Moment] = None


class Conversation(Inbound):
    """A conversation's state when the webhook was built, which is later than the event."""

    id: Id
    inbox_id: Id
    status: ConversationStatus
    priority: OrNone[Name] = None
    labels: Elements[Name] = ()
    first_reply_created_at: OrNone[Moment] = None
    snoozed_until: OrNone[Moment] = None
    waiting_since: OrNone[Seconds] = None
    last_activity_at: OrNone[Seconds] = None
    timestamp: OrNone[Seconds] = None
    created_at: Seconds
    updated_at: OrNone[FineSeconds] = None
    contact_inbox: OrNone[ContactInbox] = None
    meta: Annotated[Meta, OrElse(Meta())] = Meta()
    messages: Elements[LastMessage] = ()


class Changed(Inbound):
    """One entry of `changed_attributes`, whatever its values are."""

    previous_value: Any = None
    current_value: Any = None


class Changing(Inbound):
    """What an event says of changes, single steps by attribute."""

    changed_attributes: Elements[dict[str, OrOmitted[Changed]]] = ()

    def changed(self, attribute: str) -> Changed | None:
        """This attribute's step, if the event names one."""
        return next((entry[attribute] for entry in self.changed_attributes if attribute in entry), None)


class ConversationEvent(Conversation, Changing):
    """conversation_created, _updated and _status_changed; the last comes without its change."""


class SurveyAnswer(Inbound):
    """A CSAT answer; the text stays with Chatwoot."""

    rating: OrNone[Annotated[int, Field(ge=1, le=5)]] = None


class Submitted(Inbound):
    """What a visitor filled in; other forms leave lists here."""

    csat_survey_response: OrNone[SurveyAnswer] = None


class ContentAttributes(Inbound):
    """The marks of a message."""

    deleted: Mark = False
    automation_rule_id: Mark = False
    external_echo: Mark = False
    submitted_values: OrNone[Submitted] = None


class AdditionalAttributes(Inbound):
    """The mark of a campaign."""

    campaign_id: Mark = False


class MessageEvent(Inbound):
    """message_created and message_updated."""

    id: LongId
    inbox: OrNone[Named] = None
    message_type: MessageType
    content_type: OrNone[Name] = None
    content_attributes: OrNone[ContentAttributes] = None
    additional_attributes: OrNone[AdditionalAttributes] = None
    private: Annotated[bool, OrElse(False)] = False
    sender: OrNone[Sender] = None
    created_at: Moment
    conversation: Conversation
