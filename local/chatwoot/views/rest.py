"""REST forms of contacts, conversations and messages: other wrappers and types than in webhooks."""

from typing import Any

from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import (
    Account,
    Contact,
    ContactInbox,
    Conversation,
    JsonObject,
    Message,
    User,
    type_of_message,
)
from local.chatwoot.model.state import DoubleState
from local.chatwoot.views import shared
from local.chatwoot.views.inboxes import inbox_full, inbox_slim


def contact(state: DoubleState, row: Contact, *, identities: bool = True) -> JsonObject:
    """Times are whole seconds and left out when there is none."""
    form: JsonObject = {
        "additional_attributes": row.additional_attributes,
        "availability_status": "online" if state.is_online(row) else "offline",
        "email": row.email,
        "id": row.id,
        "name": row.name,
        "phone_number": row.phone_number,
        "identifier": row.identifier,
        "thumbnail": "",
        "custom_attributes": row.custom_attributes,
    }
    if state.release.modern:
        form["blocked"] = row.blocked
    if row.last_activity_at:
        form["last_activity_at"] = shared.unix(row.last_activity_at)
    form["created_at"] = shared.unix(row.created_at)
    if identities:
        form["contact_inboxes"] = [contact_inbox(state, one) for one in state.identities(row)]
    return form


def contact_inbox(state: DoubleState, row: ContactInbox) -> JsonObject:
    """3.x shows the whole inbox here, 4.x its name and kind."""
    inbox = state.inboxes[row.inbox_id]
    shown = inbox_slim(inbox) if state.release.modern else inbox_full(state, inbox)
    return {"source_id": row.source_id, "inbox": shown}


def conversation(state: DoubleState, row: Conversation) -> JsonObject:
    latest, spoken = shared.last(row), shared.last(row, spoken=True)
    form: JsonObject = {
        "meta": _meta(state, row),
        "id": row.display_id,
        "messages": [shared.message(latest, state.release)] if latest else [],
        "account_id": row.account_id,
        "uuid": row.uuid,
        "additional_attributes": row.additional_attributes,
        "agent_last_seen_at": 0,
        "assignee_last_seen_at": 0,
        "can_reply": True,
        "contact_last_seen_at": 0,
        "custom_attributes": row.custom_attributes,
        "inbox_id": row.inbox_id,
        "labels": row.label_list,
        "muted": False,
        "snoozed_until": iso(row.snoozed_until),
        "status": row.status,
        "created_at": shared.unix(row.created_at),
        "timestamp": shared.unix(row.last_activity_at),
        "first_reply_created_at": shared.unix(row.first_reply_created_at),
        "unread_count": shared.unread(row),
        "last_non_activity_message": shared.message(spoken, state.release) if spoken else None,
        "last_activity_at": shared.unix(row.last_activity_at),
        "priority": row.priority,
        "waiting_since": shared.unix(row.waiting_since),
        "sla_policy_id": None,
    }
    return form | ({"updated_at": row.updated_at.timestamp()} if state.release.modern else {})


def _meta(state: DoubleState, row: Conversation) -> JsonObject:
    account = state.accounts[row.account_id]
    form: JsonObject = {
        "sender": contact(state, state.partner(row), identities=False),
        "channel": state.inboxes[row.inbox_id].channel_type,
    }
    if row.assignee_id:
        form["assignee"] = agent(state, account, state.users[row.assignee_id])
        if state.release.modern:
            form["assignee_type"] = "User"
    if row.team_id:
        form["team"] = team(account.teams[row.team_id])
    return form | {"hmac_verified": row.contact_inbox.hmac_verified}


def message(state: DoubleState, row: Message) -> JsonObject:
    form: JsonObject = {
        "id": row.id,
        "content": row.content,
        "inbox_id": row.conversation.inbox_id,
        "conversation_id": row.conversation.display_id,
        "message_type": type_of_message[row.message_type],
        "content_type": row.content_type,
        "status": "sent",
        "content_attributes": row.content_attributes,
        "created_at": shared.unix(row.created_at),
        "private": row.private,
        "source_id": row.source_id,
    }
    return form | ({"sender": shared.sender(row.sender, state.release)} if row.sender else {})


def team(row: JsonObject) -> JsonObject:
    """Without its times, which only the answer to an assignment shows."""
    return {key: value for key, value in row.items() if not key.endswith("_at")} | {"is_member": False}


def agent(state: DoubleState, account: Account, row: User) -> JsonObject:
    """A user as a member of one account."""
    form: dict[str, Any] = {
        "id": row.id,
        "account_id": account.id,
        "availability_status": "offline",
        "auto_offline": True,
        "confirmed": True,
        "email": row.email,
        "available_name": row.name,
        "name": row.name,
        "role": account.members[row.id]["role"],
        "thumbnail": "",
    }
    if row.custom_attributes is not None:
        form["custom_attributes"] = row.custom_attributes
    return form | ({"provider": "email"} if state.release.modern else {})
