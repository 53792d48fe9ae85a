"""Changes of a row, in the form of `changed_attributes`: one object per column, in the order of Rails' columns."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from typing import Any

from local.chatwoot.model.rows import Contact, Conversation, JsonObject

_CONTACT = """
    name email phone_number updated_at additional_attributes identifier custom_attributes last_activity_at
    contact_type blocked
""".split()
_CONVERSATION = """
    status assignee_id updated_at additional_attributes team_id snoozed_until custom_attributes
    first_reply_created_at priority waiting_since cached_label_list label_list
""".split()
# Only these make a conversation_updated (app/models/conversation.rb, list of notified changes).
_NOTIFIED = set(
    """
    team_id assignee_id status snoozed_until custom_attributes label_list waiting_since
    first_reply_created_at priority
""".split()
)


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 with milliseconds, as Rails writes times into JSON."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z" if moment else None


def change_contact(row: Contact, now: datetime, **values: Any) -> list[JsonObject]:
    """Set the values; answer what changed, nothing if nothing did."""
    return _change(row, now, values, _CONTACT)


def change_conversation(row: Conversation, now: datetime, **values: Any) -> list[JsonObject]:
    """As change_contact; labels change their cached text as well."""
    if "label_list" not in values:
        return _change(row, now, values, _CONVERSATION)
    before = ", ".join(row.label_list) or None
    changed = _change(row, now, values, _CONVERSATION)
    after = ", ".join(row.label_list)
    cached = {"cached_label_list": {"previous_value": before, "current_value": after}}
    return [*changed[:-1], cached, *changed[-1:]] if changed else []


def is_notified(changed: Iterable[JsonObject]) -> bool:
    return any(_NOTIFIED & one.keys() for one in changed)


def _change(row: Contact | Conversation, now: datetime, values: JsonObject, order: list[str]) -> list[JsonObject]:
    before = {key: getattr(row, key) for key in values if getattr(row, key) != values[key]}
    if not before:
        return []
    before["updated_at"] = row.updated_at
    for key in before:
        setattr(row, key, deepcopy(values[key]) if key != "updated_at" else now)
    return [
        {key: {"previous_value": _shown(before[key]), "current_value": _shown(getattr(row, key))}}
        for key in sorted(before, key=order.index)
    ]


def _shown(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else deepcopy(value)
