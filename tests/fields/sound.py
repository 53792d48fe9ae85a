"""A sound body of each kind, with every field that its model knows."""

from typing import Any

import uuid_utils

from services.conversations.figures.facts import TRACKED

AT = "2024-11-25T10:00:00.123Z"
SECONDS = 1_732_528_800

_VALUES: dict[str, Any] = {
    "status": "open", "assignee_id": 7, "team_id": 2, "priority": "high", "label_list": ["vip"],
    "first_reply_created_at": AT, "waiting_since": AT, "snoozed_until": AT,
}  # fmt: skip
_META = {
    "sender": {"id": 5},
    "assignee": {"id": 7, "name": "Ada", "type": "user"},
    "assignee_type": "User",
    "team": {"id": 2},
}
CONVERSATION: dict[str, Any] = {
    "id": 1,
    "inbox_id": 9,
    "status": "open",
    "priority": "high",
    "labels": ["vip", "b2b"],
    "first_reply_created_at": AT,
    "snoozed_until": AT,
    "waiting_since": SECONDS,
    "last_activity_at": SECONDS,
    "timestamp": SECONDS,
    "created_at": SECONDS,
    "updated_at": SECONDS + 0.25,
    "contact_inbox": {"contact_id": 5},
    "meta": _META,
    "messages": [{"updated_at": AT}],
}
CHANGED = CONVERSATION | {
    "changed_attributes": [
        {"updated_at": {"previous_value": AT, "current_value": "2024-11-25T10:00:01Z"}},
        *({name: {"previous_value": _VALUES[name], "current_value": _VALUES[name]}} for name in TRACKED),
        {"status": {"previous_value": "open", "current_value": "resolved"}},
    ]
}
TURNED = CHANGED | {
    "status": "resolved",
    "updated_at": None,
    "changed_attributes": [
        {
            "updated_at": {"previous_value": AT, "current_value": "2024-11-25T10:05:00Z"},
            "status": {"previous_value": "open", "current_value": "resolved"},
            "label_list": {"previous_value": ["vip"], "current_value": None},
            "assignee_id": {"previous_value": None, "current_value": 7},
        }
    ],
}
MESSAGE: dict[str, Any] = {
    "id": 100,
    "inbox": {"id": 9, "name": "Web"},
    "message_type": "outgoing",
    "content_type": "text",
    "content_attributes": {"deleted": False, "automation_rule_id": None, "external_echo": None},
    "additional_attributes": {"campaign_id": None},
    "private": False,
    "sender": {"id": 7, "type": "user"},
    "created_at": AT,
    "conversation": CONVERSATION,
}
INCOMING = MESSAGE | {"id": 99, "message_type": "incoming", "sender": {"id": 5}, "created_at": "2024-11-25T09:59:00Z"}
RATED = MESSAGE | {
    "id": 101,
    "message_type": "template",
    "content_type": "input_csat",
    "content_attributes": {"submitted_values": {"csat_survey_response": {"rating": 4}}},
}
HISTORY: dict[str, Any] = {
    "conversation": CONVERSATION | {"first_reply_created_at": SECONDS},
    "messages": [
        {
            "id": 100 + kind,
            "message_type": kind,
            "content_type": "text",
            "content_attributes": {"submitted_values": {"csat_survey_response": {"rating": 5}}},
            "private": False,
            "sender": {"id": 7, "type": "user"},
            "created_at": SECONDS + kind,
        }
        for kind in range(4)
    ],
}
CONTACT: dict[str, Any] = {
    "id": 5,
    "email": "cust@shop.example",
    "phone_number": "+31201234567",
    "identifier": "c1",
    "custom_attributes": {"customer_tier": "Gold", "by_others": [1, {"a": None}]},
    "changed_attributes": [{"updated_at": {"previous_value": AT, "current_value": AT}}],
}
STARTED = CONVERSATION | {"meta": {"sender": CONTACT}}
CUSTOMER: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/shop",
    "time": AT,
    "type": "customer.updated",
    "data": {
        "customer_id": "c1",
        "email": "cust@shop.example",
        "phone": "+31201234567",
        "name": "Kees",
        "preferred_language": "nl",
        "marketing_consent": True,
        "registered_at": AT,
    },
}
_ORDER = {"customer_id": "c1", "order_id": "o1", "amount_minor": 10**14, "currency": "EUR"}
ORDERS = tuple(
    CUSTOMER | {"id": kind, "type": kind, "data": _ORDER}
    for kind in ("order.placed", "order.paid", "order.refunded", "order.cancelled", "order.reinstated")
)
VISIT: dict[str, Any] = {
    "id": str(uuid_utils.uuid7()),
    "event_type": "cart_updated",
    "session_id": "s1",
    "user_id": "5f0c8a52-3f3e-4a53-9d3e-3a3f0f6f2b11",
    "customer_id": "c1",
    "page_url": "https://shop.example/a",
    "referrer": "https://shop.example/",
    "user_agent": "Browser/1",
    "ip_address": "192.0.2.0",
    "load_time_ms": 120,
    "widget_version": "1.0",
    "event_data": {"value_minor": 5, "currency": "EUR", "items": 1},
}
VISITS = [VISIT, VISIT | {"id": str(uuid_utils.uuid7()), "event_type": "page_viewed"}]
