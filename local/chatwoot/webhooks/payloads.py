"""Bodies of webhooks, in the form of the release that is played."""

from typing import Any

from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import (
    Account,
    Bot,
    Contact,
    ContactInbox,
    Conversation,
    Inbox,
    JsonObject,
    Message,
    User,
)
from local.chatwoot.model.state import DoubleState
from local.chatwoot.views import shared


def account(row: Account) -> JsonObject:
    return {"id": row.id, "name": row.name}


def contact(state: DoubleState, row: Contact) -> JsonObject:
    """The webhook form; it has no `type`. Raises Vanished."""
    state.still(row.account_id, row.id)
    holder = account(state.accounts[row.account_id])
    return {"account": holder, "avatar": ""} | shared.contact_columns(row, state.release)


def conversation(state: DoubleState, row: Conversation) -> JsonObject:
    holder = state.accounts[row.account_id]
    spoken = shared.last(row, spoken=True, public=True)
    form: JsonObject = {
        "additional_attributes": row.additional_attributes,
        "can_reply": True,
        "channel": state.inboxes[row.inbox_id].channel_type,
        "contact_inbox": shared.raw_contact_inbox(row),
        "id": row.display_id,
        "inbox_id": row.inbox_id,
        "messages": [shared.message(spoken, state.release)] if spoken else [],
        "labels": list(row.label_list),
        "meta": _meta(state, row),
        "status": row.status,
        "custom_attributes": row.custom_attributes,
        "snoozed_until": iso(row.snoozed_until),
        "unread_count": shared.unread(row),
        "first_reply_created_at": iso(row.first_reply_created_at),
        "priority": row.priority,
        "waiting_since": shared.unix(row.waiting_since),
        "agent_last_seen_at": 0,
        "contact_last_seen_at": 0,
        "last_activity_at": shared.unix(row.last_activity_at),
        "timestamp": shared.unix(row.last_activity_at),
        "created_at": shared.unix(row.created_at),
    }
    if state.release.modern:
        form["updated_at"] = row.updated_at.timestamp()
    return form | ({"account": account(holder)} if state.release.names_account else {})


def message(state: DoubleState, row: Message) -> JsonObject:
    """`message_type` is a word and `created_at` ISO here, unlike everywhere else."""
    inbox = state.inboxes[row.conversation.inbox_id]
    return {
        "account": account(state.accounts[row.conversation.account_id]),
        "additional_attributes": {},
        "content_attributes": row.content_attributes,
        "content_type": row.content_type,
        "content": row.content,
        "conversation": conversation(state, row.conversation),
        "created_at": iso(row.created_at),
        "id": row.id,
        "inbox": {"id": inbox.id, "name": inbox.settings["name"]},
        "message_type": row.message_type,
        "private": row.private,
        "sender": _sender(state, row.sender),
        "source_id": row.source_id,
    }


def widget_opened(state: DoubleState, identity: ContactInbox, inbox: Inbox, event_info: JsonObject) -> JsonObject:
    visitor = state.still(inbox.account_id, identity.contact_id)
    current = next((one for one in state.conversations_of(visitor) if one.contact_inbox is identity), None)
    return {
        "id": identity.id,
        "contact": contact(state, visitor),
        "inbox": {"id": inbox.id, "name": inbox.settings["name"]},
        "account": account(state.accounts[inbox.account_id]),
        "current_conversation": conversation(state, current) if current else None,
        "source_id": identity.source_id,
        "event_info": event_info,
    }


def typing(state: DoubleState, row: Conversation, who: User | Bot, *, private: bool) -> JsonObject:
    return {"user": _sender(state, who), "conversation": conversation(state, row), "is_private": private}


def _sender(state: DoubleState, row: User | Bot | Contact | None) -> JsonObject | None:
    if isinstance(row, Contact):
        return contact(state, row)
    if isinstance(row, User):
        return {"id": row.id, "name": row.name, "email": row.email, "type": "user"}
    return {"id": row.id, "name": row.name, "type": "agent_bot"} if row else None


def _meta(state: DoubleState, row: Conversation) -> JsonObject:
    team = state.accounts[row.account_id].teams.get(row.team_id or 0)
    assignee: dict[str, Any] = {"assignee": shared.user(state.users[row.assignee_id]) if row.assignee_id else None}
    if state.release.modern:
        assignee["assignee_type"] = "User" if row.assignee_id else None
    return {
        "sender": shared.contact(state.partner(row), state.release),
        **assignee,
        "team": {"id": team["id"], "name": team["name"]} if team else None,
        "hmac_verified": row.contact_inbox.hmac_verified,
    }
