"""REST forms of inboxes, and what a new inbox starts with."""

from typing import Any

from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import Inbox, JsonObject
from local.chatwoot.model.state import DoubleState

_SETTINGS: JsonObject = {
    "greeting_enabled": False,
    "greeting_message": None,
    "working_hours_enabled": False,
    "enable_email_collect": True,
    "csat_survey_enabled": False,
    "enable_auto_assignment": True,
    "auto_assignment_config": {},
    "out_of_office_message": None,
    "timezone": "UTC",
    "allow_messages_after_resolved": True,
    "lock_to_single_conversation": False,
    "sender_name_type": "friendly",
    "business_name": None,
}
_STANDARD_FIELDS = (
    ("emailAddress", "email", "Email Id"),
    ("fullName", "text", "Full name"),
    ("phoneNumber", "text", "Phone number"),
)
_PRE_CHAT: JsonObject = {
    "pre_chat_message": "Share your queries or comments here.",
    "pre_chat_fields": [
        {"name": name, "type": kind, "label": label, "enabled": False, "required": False, "field_type": "standard"}
        for name, kind, label in _STANDARD_FIELDS
    ],
}
_WIDGET: JsonObject = {
    "allowed_domains": None,
    "widget_color": "#1f93ff",
    "website_url": None,
    "hmac_mandatory": False,
    "welcome_title": None,
    "welcome_tagline": None,
    "selected_feature_flags": ["attachments", "emoji_picker", "end_conversation"],
    "reply_time": "in_a_few_minutes",
    "pre_chat_form_enabled": False,
    "pre_chat_form_options": _PRE_CHAT,
    "continuity_via_email": True,
}
_API: JsonObject = {"hmac_mandatory": False, "webhook_url": None, "additional_attributes": {}}
_NOT_WIDGET = dict.fromkeys(
    """
    allowed_domains widget_color website_url welcome_title welcome_tagline web_widget_script website_token
    selected_feature_flags reply_time
    """.split()
)
_COLUMNS_3 = """
    name enable_auto_assignment greeting_enabled greeting_message working_hours_enabled out_of_office_message
    timezone enable_email_collect csat_survey_enabled allow_messages_after_resolved auto_assignment_config
    lock_to_single_conversation sender_name_type business_name
""".split()


def new_settings(given: JsonObject) -> JsonObject:
    return _SETTINGS | {"working_hours": [_day(number) for number in range(7)]} | given


def new_channel(given: JsonObject, *, widget: bool) -> JsonObject:
    return (_WIDGET if widget else _API) | given


def _day(number: int) -> JsonObject:
    weekend = number in (0, 6)
    hours = dict.fromkeys(("open_hour", "open_minutes", "close_hour", "close_minutes"))
    if not weekend:
        hours = {"open_hour": 9, "open_minutes": 0, "close_hour": 17, "close_minutes": 0}
    return {"day_of_week": number, "closed_all_day": weekend, **hours, "open_all_day": False}


def inbox_slim(row: Inbox) -> JsonObject:
    return {
        "id": row.id,
        "avatar_url": "",
        "channel_id": row.channel_id,
        "name": row.settings["name"],
        "channel_type": row.channel_type,
        "provider": None,
    }


def inbox_full(state: DoubleState, row: Inbox) -> JsonObject:
    """As inboxes are listed; hmac_token and secret as administrators see them."""
    form: dict[str, Any] = inbox_slim(row) | row.settings | {"callback_webhook_url": None, "phone_number": None}
    form |= {"messaging_service_sid": None, "csat_config": {}, "hmac_token": row.hmac_token}
    if row.is_widget:
        form |= row.channel | {"website_token": row.token, "web_widget_script": _script(row.token)}
    else:
        form |= _NOT_WIDGET | row.channel | {"inbox_identifier": row.token, "secret": row.secret}
    if not state.release.modern:
        form = {key: value for key, value in form.items() if key not in ("allowed_domains", "csat_config", "secret")}
    return form


def inbox_raw(state: DoubleState, row: Inbox) -> JsonObject:
    """The row with all its columns."""
    form = {key: row.settings[key] for key in _COLUMNS_3} | ({"csat_config": {}} if state.release.modern else {})
    form |= {"id": row.id, "channel_id": row.channel_id, "account_id": row.account_id, "channel_type": row.channel_type}
    form |= {"created_at": iso(row.created_at), "updated_at": iso(row.updated_at)}
    return form | {"email_address": None, "portal_id": None}


def _script(website_token: str) -> str:
    return f"<script>chatwootSDK.run({{ websiteToken: '{website_token}', baseUrl: BASE_URL }})</script>"
