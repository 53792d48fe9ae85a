"""What the widget is shown."""

from local.chatwoot.model.changes import iso
from local.chatwoot.model.rows import Contact, ContactInbox, Conversation, Inbox, JsonObject, Message, type_of_message
from local.chatwoot.model.state import DoubleState
from local.chatwoot.views import rest, shared

_LANGUAGES = {"de": "Deutsch (de)", "en": "English (en)", "nl": "Nederlands (nl)"}
_CHANNEL = ("pre_chat_form_enabled", "pre_chat_form_options", "reply_time", "welcome_tagline", "welcome_title")
_SETTINGS = ("allow_messages_after_resolved", "csat_survey_enabled", "out_of_office_message", "timezone")
_GLOBAL = {
    "LOGO_THUMBNAIL": "/brand-assets/logo_thumbnail.svg",
    "BRAND_NAME": "Chatwoot",
    "WIDGET_BRAND_URL": "https://www.chatwoot.com",
}


def config(state: DoubleState, inbox: Inbox, identity: ContactInbox, visitor: Contact) -> JsonObject:
    """The session's token is the identity's source id: opaque to the page, as Chatwoot's is."""
    website: JsonObject = {key: inbox.channel[key] for key in _CHANNEL} | {
        key: inbox.settings[key] for key in _SETTINGS
    }
    website |= {
        "api_host": "",
        "auth_token": identity.source_id,
        "avatar_url": "",
        "disable_branding": False,
        "enabled_features": inbox.channel["selected_feature_flags"],
        "enabled_languages": [{"name": name, "iso_639_1_code": code} for code, name in _LANGUAGES.items()],
        "locale": state.accounts[inbox.account_id].settings["locale"],
        "portal": None,
        "utc_off_set": "+00:00",
        "website_name": inbox.settings["name"],
        "website_token": inbox.token,
        "widget_color": inbox.channel["widget_color"],
        "working_hours": [_day(inbox, day) for day in inbox.settings["working_hours"]],
        "working_hours_enabled": inbox.settings["working_hours_enabled"],
    }
    known = {key: getattr(visitor, key) for key in ("id", "name", "email", "identifier", "phone_number")}
    limits = {"MAXIMUM_FILE_UPLOAD_SIZE": 40, "INSTALLATION_NAME": "Chatwoot"} if state.release.modern else {}
    return {
        "website_channel_config": website,
        "contact": known | {"pubsub_token": identity.pubsub_token},
        "global_config": _GLOBAL | limits,
    }


def conversation(state: DoubleState, row: Conversation, visitor: Contact) -> JsonObject:
    return {
        "id": row.display_id,
        "inbox_id": row.inbox_id,
        "contact_last_seen_at": 0,
        "status": row.status,
        "messages": [_first(state, one) for one in row.messages if one.message_type != "activity"],
        "custom_attributes": row.custom_attributes,
        "contact": raw_contact(state, visitor),
    }


def raw_contact(state: DoubleState, row: Contact) -> JsonObject:
    """The row with all its columns, as the widget's API shows it."""
    form: JsonObject = {
        "id": row.id,
        "name": row.name,
        "email": row.email,
        "phone_number": row.phone_number,
        "account_id": row.account_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "additional_attributes": row.additional_attributes,
        "identifier": row.identifier,
        "custom_attributes": row.custom_attributes,
        "last_activity_at": iso(row.last_activity_at),
        "contact_type": row.contact_type,
        "middle_name": "",
        "last_name": "",
        "location": None,
        "country_code": None,
        "blocked": row.blocked,
        "label_list": row.labels,
    }
    return form | ({"company_id": None} if state.release.modern else {})


def message(state: DoubleState, row: Message) -> JsonObject:
    form = rest.message(state, row)
    return {key: value for key, value in form.items() if key not in ("content_type", "status")}


def _first(state: DoubleState, row: Message) -> JsonObject:
    """A template's type is a word here, all others are numbers."""
    kind = row.message_type if row.message_type == "template" else type_of_message[row.message_type]
    form: JsonObject = {
        "id": row.id,
        "content": row.content,
        "message_type": kind,
        "content_type": row.content_type,
        "content_attributes": row.content_attributes,
        "created_at": shared.unix(row.created_at),
        "conversation_id": row.conversation.display_id,
    }
    return form | ({"sender": shared.sender(row.sender, state.release)} if row.sender else {})


def _day(inbox: Inbox, day: JsonObject) -> JsonObject:
    times = {"created_at": iso(inbox.created_at), "updated_at": iso(inbox.updated_at)}
    return {"id": 7 * inbox.id + day["day_of_week"], "inbox_id": inbox.id, "account_id": inbox.account_id} | day | times
