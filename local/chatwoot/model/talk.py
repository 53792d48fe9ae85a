"""What may happen in a conversation: it begins, somebody speaks, its state changes; in Chatwoot's order."""

from collections.abc import Iterable
from typing import Any

from local.chatwoot.model import automation, contact_changes, reported
from local.chatwoot.model.changes import change_conversation
from local.chatwoot.model.rows import Bot, Contact, ContactInbox, Conversation, Inbox, JsonObject, Message, User
from local.chatwoot.model.state import DoubleState
from local.chatwoot.webhooks.listener import WebhookListener


def begin(state: DoubleState, events: WebhookListener, identity: ContactInbox, **given: Any) -> Conversation:
    """A new conversation; an active bot makes it pending. Its own answers start later, with the first message."""
    inbox = state.inboxes[identity.inbox_id]
    account, now = state.accounts[inbox.account_id], state.now()
    # display_id is what the outside sees, and counted within its account; Chatwoot does so by a trigger.
    account.displayed += 1
    row = Conversation(
        display_id=account.displayed,
        account_id=account.id,
        inbox_id=inbox.id,
        contact_id=identity.contact_id,
        contact_inbox=identity,
        uuid=state.uuid(),
        created_at=now,
        updated_at=now,
        last_activity_at=now,
        waiting_since=now,
        **given | ({"status": "pending"} if inbox.bot else {}),
    )
    account.conversations[row.display_id] = row
    events.conversation_created(row)
    return row


def say(state: DoubleState, events: WebhookListener, row: Conversation, content: str | None, **given: Any) -> Message:
    """Add a message (incoming, outgoing or template) and let follow what follows."""
    message = _add(state, row, content, **given)
    if message.message_type == "incoming":
        _reopen(state, events, row)
    events.message_created(message)
    if message.message_type == "incoming":
        _after_incoming(state, events, row, message)
    elif message.message_type == "outgoing" and not message.private:
        _after_reply(state, events, row, message)
    automation.react(state, events, message)
    return message


def note(state: DoubleState, row: Conversation, text: str) -> None:
    """An activity: visible through REST only."""
    _add(state, row, text, message_type="activity")


def change(state: DoubleState, events: WebhookListener, row: Conversation, **values: Any) -> None:
    before = row.status
    changed = change_conversation(row, state.now(), **values)
    if row.status != before:
        reported.status_changed(state, row)
    events.conversation_updated(row, changed)


def change_status(state: DoubleState, events: WebhookListener, row: Conversation, status: str, **given: Any) -> None:
    """`by` is who did it, `snoozed_until` only for snoozing; resolving asks for a rating, once per conversation."""
    by, until = given.get("by"), given.get("snoozed_until")
    if status == row.status:
        change(state, events, row, snoozed_until=until)
        return
    change(state, events, row, status=status, snoozed_until=until)
    note(state, row, f"Conversation was marked {status} by {by.name if by else 'the customer'}")
    if status == "resolved" and row.waiting_since and state.release.clears_waiting_on_resolve:
        row.waiting_since = None  # without an event
    inbox = state.inboxes[row.inbox_id]
    asked = any(one.content_type == "input_csat" for one in row.messages)
    if status == "resolved" and inbox.settings["csat_survey_enabled"] and not asked:
        shown: JsonObject = {"display_type": "emoji"} if state.release.modern else {}
        text = "Please rate the conversation"
        _template(state, events, row, text, content_type="input_csat", content_attributes=shown)


def erase(state: DoubleState, events: WebhookListener, message: Message) -> None:
    """A deleted message stays, with other words."""
    message.content, message.updated_at = "This message was deleted", state.now()
    message.content_attributes = {"deleted": True}
    events.message_updated(message)


def fill_in(state: DoubleState, events: WebhookListener, message: Message, **answers: Any) -> None:
    """The customer answered a form: a rating, an e-mail address."""
    message.content_attributes = message.content_attributes | answers
    message.updated_at = state.now()
    events.message_updated(message)


def _add(state: DoubleState, row: Conversation, content: str | None, **given: Any) -> Message:
    now = state.now()
    given.setdefault("message_type", "outgoing")
    number = state.number("message")
    message = Message(id=number, conversation=row, content=content, created_at=now, updated_at=now, **given)
    row.messages.append(message)
    row.last_activity_at = row.updated_at = now
    state.messages[number] = message
    return message


def _reopen(state: DoubleState, events: WebhookListener, row: Conversation) -> None:
    """A customer's word opens a resolved or snoozed conversation again, or hands it to the bot."""
    if row.status in ("resolved", "snoozed"):
        bot = state.inboxes[row.inbox_id].bot
        status = "pending" if bot and row.status == "resolved" else "open"
        change(state, events, row, status=status, snoozed_until=None)


def _after_incoming(state: DoubleState, events: WebhookListener, row: Conversation, message: Message) -> None:
    if row.waiting_since is None:
        change(state, events, row, waiting_since=message.created_at)
    inbox = state.inboxes[row.inbox_id]
    # Greeting and form follow the first word alone, not each reopening.
    if sum(one.message_type == "incoming" for one in row.messages) == 1:
        for text, kind in _first_answers(inbox, state.partner(row)):
            _template(state, events, row, text, content_type=kind)
    contact_changes.store(state, events, state.partner(row), last_activity_at=state.now())


def _first_answers(inbox: Inbox, contact: Contact) -> Iterable[tuple[str, str]]:
    """Out of office in place of the greeting, then the question for an e-mail address. Out means: no day is open."""
    settings = inbox.settings
    closed = all(day["closed_all_day"] for day in settings["working_hours"])
    if settings["working_hours_enabled"] and closed and settings["out_of_office_message"]:
        yield settings["out_of_office_message"], "text"
    elif settings["greeting_enabled"] and settings["greeting_message"]:
        yield settings["greeting_message"], "text"
    if inbox.is_widget and settings["enable_email_collect"] and not contact.email:
        yield "Give the team a way to reach you.", "text"
        yield "Get notified by email", "input_email"


def _template(state: DoubleState, events: WebhookListener, row: Conversation, text: str, **given: Any) -> None:
    events.message_created(_add(state, row, text, message_type="template", **given))


def _after_reply(state: DoubleState, events: WebhookListener, row: Conversation, message: Message) -> None:
    """A person's first public reply is remembered; any person's reply ends the wait, a bot's since 4.10."""
    human = isinstance(message.sender, User)
    if human:
        reported.answered(state, row, message)
    if human and row.first_reply_created_at is None:
        change(state, events, row, first_reply_created_at=message.created_at, waiting_since=None)
    elif human or (isinstance(message.sender, Bot) and state.release.bot_reply_ends_waiting):
        change(state, events, row, waiting_since=None)
