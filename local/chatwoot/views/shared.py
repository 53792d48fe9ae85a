"""Forms that REST and webhooks share: what Chatwoot's source calls push event data."""

from datetime import datetime
from typing import Any

from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import Bot, Contact, Conversation, JsonObject, Message, User, type_of_message
from local.chatwoot.release import PlayedRelease


def unix(moment: datetime | None) -> int:
    """Whole seconds, 0 for never."""
    return int(moment.timestamp()) if moment else 0


def contact(row: Contact, release: PlayedRelease) -> JsonObject:
    return contact_columns(row, release) | {"type": "contact"}


def contact_columns(row: Contact, release: PlayedRelease) -> JsonObject:
    """What every form of a contact shows."""
    columns = {
        "additional_attributes": row.additional_attributes,
        "custom_attributes": row.custom_attributes,
        "email": row.email,
        "id": row.id,
        "identifier": row.identifier,
        "name": row.name,
        "phone_number": row.phone_number,
        "thumbnail": "",
    }
    return columns | ({"blocked": row.blocked} if release.modern else {})


def user(row: User) -> JsonObject:
    return {
        "id": row.id,
        "name": row.name,
        "available_name": row.name,
        "avatar_url": "",
        "type": "user",
        "availability_status": "offline",
        "thumbnail": "",
    }


def sender(row: User | Bot | Contact, release: PlayedRelease) -> JsonObject:
    if isinstance(row, Contact):
        return contact(row, release)
    if isinstance(row, User):
        return user(row)
    return {"id": row.id, "name": row.name, "avatar_url": "", "type": "agent_bot"}


def message(row: Message, release: PlayedRelease) -> JsonObject:
    """All columns, as in `conversation.messages`: integers for type and creation."""
    talk = row.conversation
    form: JsonObject = {
        "id": row.id,
        "content": row.content,
        "account_id": talk.account_id,
        "inbox_id": talk.inbox_id,
        "conversation_id": talk.display_id,
        "message_type": type_of_message[row.message_type],
        "created_at": unix(row.created_at),
        "updated_at": iso(row.updated_at),
        "private": row.private,
        "status": "sent",
        "source_id": row.source_id,
        "content_type": row.content_type,
        "content_attributes": row.content_attributes,
        "sender_type": type(row.sender).__name__.replace("Bot", "AgentBot") if row.sender else None,
        "sender_id": row.sender.id if row.sender else None,
        "external_source_ids": {},
        "additional_attributes": {},
        "processed_message_content": row.content,
        "sentiment": {},
        "conversation": {
            "assignee_id": talk.assignee_id,
            "unread_count": unread(talk),
            "last_activity_at": unix(talk.last_activity_at),
            "contact_inbox": {"source_id": talk.contact_inbox.source_id},
        },
    }
    return form | ({"sender": sender(row.sender, release)} if row.sender else {})


def unread(talk: Conversation) -> int:
    """Nobody looks at the double's dashboard: every incoming message stays unread."""
    return sum(one.message_type == "incoming" for one in talk.messages)


def last(talk: Conversation, *, spoken: bool = False, public: bool = False) -> Message | None:
    """The last message; `spoken` leaves activities out, `public` private notes as well."""
    fitting = (
        one
        for one in reversed(talk.messages)
        if not (spoken and one.message_type == "activity") and not (public and one.private)
    )
    return next(fitting, None)


def raw_contact_inbox(talk: Conversation) -> dict[str, Any]:
    row = talk.contact_inbox
    return {
        "id": row.id,
        "contact_id": row.contact_id,
        "inbox_id": row.inbox_id,
        "source_id": row.source_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.created_at),
        "hmac_verified": row.hmac_verified,
        "pubsub_token": row.pubsub_token,
    }
