"""A user as the Platform API and the own profile show them."""

from typing import Any

from local.chatwoot.model.rows import Account, JsonObject, User
from local.chatwoot.model.state import DoubleState


def user(state: DoubleState, row: User) -> JsonObject:
    """`role` and `account_id` stay empty: they belong to a session."""
    form: dict[str, Any] = {
        "access_token": row.token,
        "account_id": None,
        "available_name": row.name,
        "avatar_url": "",
        "confirmed": True,
        "display_name": None,
        "message_signature": None,
        "email": row.email,
        "id": row.id,
        "name": row.name,
        "provider": "email",
        "pubsub_token": row.pubsub_token,
        "role": None,
        "ui_settings": {},
        "uid": row.email,
        "accounts": [_membership(account, row) for account in state.accounts.values() if row.id in account.members],
    }
    return form | ({} if row.custom_attributes is None else {"custom_attributes": row.custom_attributes})


def profile(state: DoubleState, row: User) -> JsonObject:
    form = user(state, row)
    first: JsonObject = next(iter(form["accounts"]), {"id": None, "role": None})
    return form | {"account_id": first["id"], "role": first["role"], "inviter_id": None, "type": None}


def _membership(account: Account, row: User) -> JsonObject:
    role = account.members[row.id]["role"]
    return {
        "id": account.id,
        "name": account.name,
        "status": account.settings["status"],
        "active_at": None,
        "role": role,
        "permissions": [role],
        "availability": "online",
        "availability_status": "offline",
        "auto_offline": True,
    }
