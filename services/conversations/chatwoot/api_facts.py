"""One look at a conversation through the API → its facts.

Messages to the second, and how it stands, but no moment of any change. That it was resolved is seen; the last thing
that Chatwoot noted in it says best when.
"""

from datetime import UTC, datetime, timedelta

from schemas.chatwoot import rest
from schemas.chatwoot.conversations import Conversation, MessageEvent, MessageType
from services.conversations.figures.facts import STATUS_SEEN, Change, Facts, union
from services.conversations.webhook_facts import facts_of, snapshot_of, text_of

# As Chatwoot numbers them in Message.message_type, which the API answers and webhooks spell out.
_TYPES: tuple[MessageType, ...] = ("incoming", "outgoing", "activity", "template")
_ACTIVITY = _TYPES.index("activity")
_SECOND = timedelta(seconds=1)  # the API cuts moments down to whole seconds


def facts_seen(history: rest.History, *, seen_at: datetime) -> Facts:
    """Facts that agree with those of webhooks: where both tell something, the webhooks' exact moment wins."""
    conversation = _as_in_webhooks(history.conversation)
    written = _moment(history.conversation.last_activity_at or history.conversation.created_at)
    sent = [facts_of(_event(message, conversation), sent_at=seen_at) for message in history.messages]
    surveys = {message.id: _moment(message.created_at) for message in history.messages}
    parts = [
        part._replace(ratings=tuple(one._replace(at=surveys[one.message_id]) for one in part.ratings)) for part in sent
    ]
    snapshot = snapshot_of(conversation, written, sent_at=seen_at)
    return union([Facts(snapshot, changes=(_status(history, snapshot.at),)), *parts])._replace(snapshot=snapshot)


def _status(history: rest.History, written_at: datetime) -> Change:
    """How it stood when its row was last written; beside it our guess of the moment since when."""
    at = written_at if history.conversation.updated_at else written_at + _SECOND
    noted = [_moment(one.created_at) + _SECOND for one in history.messages if one.message_type == _ACTIVITY]
    # Each activity notes something that was done to it: the last one is the best guess, never later than the row.
    since = min(at, max(noted, default=at))
    return Change(STATUS_SEEN, at, text_of(since.isoformat()), text_of(history.conversation.status))


def _as_in_webhooks(seen: rest.ApiConversation) -> Conversation:
    replied = seen.first_reply_created_at
    return Conversation.model_validate(
        seen.model_dump() | {"first_reply_created_at": _moment(replied) if replied else None}
    )


def _event(message: rest.ApiMessage, conversation: Conversation) -> MessageEvent:
    marks = message.content_attributes
    return MessageEvent(
        event="message_created",
        id=message.id,
        message_type=_TYPES[message.message_type],
        content_type=message.content_type,
        content_attributes=marks and marks.model_dump(),
        private=message.private,
        sender=message.sender,
        created_at=_moment(message.created_at),
        conversation=conversation,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
