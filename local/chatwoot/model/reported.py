"""What is noted for Chatwoot's reports (app/listeners/reporting_event_listener.rb), at the moment it happens.

| note | value, in seconds since | whose |
|---|---|---|
| first_response | the conversation began; since 4.10 it was handed over, opened or ended by a bot | the speaker's |
| reply_time | the customer waits | the assignee's |
| conversation_resolved | the conversation began, each time | the assignee's |
| conversation_bot_resolved | the same, where a bot sits and no person has spoken | the assignee's |
| conversation_bot_handoff | the conversation began, once | the assignee's |
| conversation_opened (4.10) | it was resolved last | the assignee's |
"""

from datetime import datetime

from local.chatwoot.model.rows import Conversation, Message, ReportedEvent, User
from local.chatwoot.model.state import DoubleState

_HANDOFF, _OPENED, _RESOLVED = "conversation_bot_handoff", "conversation_opened", "conversation_resolved"
_BOT_RESOLVED = "conversation_bot_resolved"


def answered(state: DoubleState, row: Conversation, message: Message) -> None:
    """A person's public words: the first of all, or an answer to somebody who waits."""
    assert isinstance(message.sender, User)
    if row.first_reply_created_at is None:
        _note(state, row, "first_response", _waits_since(state, row), message.created_at, user_id=message.sender.id)
    elif row.waiting_since is not None:
        _note(state, row, "reply_time", row.waiting_since, message.created_at, user_id=row.assignee_id)


def handed_over(state: DoubleState, row: Conversation) -> None:
    if _last(state, row, _HANDOFF) is None:
        _note(state, row, _HANDOFF, row.created_at, state.now(), user_id=row.assignee_id)


def status_changed(state: DoubleState, row: Conversation) -> None:
    now = state.now()
    if row.status == "resolved":
        _note(state, row, _RESOLVED, row.created_at, now, user_id=row.assignee_id)
        spoke = any(isinstance(one.sender, User) and one.message_type == "outgoing" for one in row.messages)
        if state.inboxes[row.inbox_id].bot and not spoke:
            _note(state, row, _BOT_RESOLVED, row.created_at, now, user_id=row.assignee_id)
    elif row.status == "open" and state.release.notes_openings:
        resolved = _last(state, row, _RESOLVED)
        _note(state, row, _OPENED, resolved.created_at if resolved else now, now, user_id=row.assignee_id)


def _waits_since(state: DoubleState, row: Conversation) -> datetime:
    names = [_HANDOFF, _OPENED] if state.release.notes_openings else [_HANDOFF]
    found = [one.created_at for name in names if (one := _last(state, row, name))]
    if found:
        return max(found)
    resolved = _last(state, row, _BOT_RESOLVED) if state.release.notes_openings else None
    return resolved.created_at if resolved else row.created_at


def _last(state: DoubleState, row: Conversation, name: str) -> ReportedEvent | None:
    notes = state.accounts[row.account_id].reported
    return next((one for one in reversed(notes) if (one.conversation_id, one.name) == (row.display_id, name)), None)


def _note(
    state: DoubleState, row: Conversation, name: str, start: datetime, end: datetime, *, user_id: int | None
) -> None:
    state.accounts[row.account_id].reported.append(
        ReportedEvent(
            name=name,
            value=int(end.timestamp()) - int(start.timestamp()),
            inbox_id=row.inbox_id,
            user_id=user_id,
            conversation_id=row.display_id,
            created_at=state.now(),
        )
    )
