"""Every recorded body parses, of every kind and both releases."""

import json

import orjson
import pytest
from pydantic import ValidationError

from schemas.chatwoot.conversations import ConversationEvent, MessageEvent
from schemas.chatwoot.webhooks import ContactEvent, WidgetEvent, parse
from tests.recordings.recorded import ALL_RUNS, account_webhooks, deliveries

USED = {
    "conversation_created": ConversationEvent,
    "conversation_updated": ConversationEvent,
    "conversation_status_changed": ConversationEvent,
    "message_created": MessageEvent,
    "message_updated": MessageEvent,
    "contact_created": ContactEvent,
    "contact_updated": ContactEvent,
    "webwidget_triggered": WidgetEvent,
}


@pytest.mark.parametrize("run", ALL_RUNS)
def test_every_recorded_account_webhook_parses_to_its_model(run: str) -> None:
    """Names nobody uses (typing) give None, all others their model."""
    for delivery in account_webhooks(run):
        webhook = parse(delivery.event, delivery.body)
        assert isinstance(webhook, USED.get(delivery.event, type(None))), delivery.event


@pytest.mark.parametrize("run", ALL_RUNS)
def test_bodies_for_bots_inboxes_and_automations_do_no_harm(run: str) -> None:
    """Other receivers' bodies have the same forms or names that nobody uses."""
    others = [delivery for delivery in deliveries(run) if not delivery.path.startswith("/hooks/")]
    for delivery in others:
        webhook = parse(delivery.event, delivery.body)
        assert webhook is None or delivery.event in USED


def test_unknown_event_is_nobodys_business() -> None:
    """An event of a later release is let go, whatever its body holds."""
    assert parse("conversation_sentiment_analyzed", b"[]") is None
    assert parse(None, b"{}") is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("updated_at", 1e300),
        ("first_reply_created_at", "0001-01-01T00:00:00+14:00"),
        ("last_activity_at", 10**20),
        ("labels", ["vip", 7, None]),
        ("meta", []),
        ("contact_inbox", {"contact_id": 10**30}),
        ("changed_attributes", [{"status": 1}, 7]),
        ("messages", "none"),
        ("custom_attributes", 3 * 10**43),
    ],
)
def test_a_field_out_of_bounds_costs_itself_and_not_the_conversation(place: str, value: object) -> None:
    sound = next(one for one in account_webhooks(ALL_RUNS[0]) if one.event == "conversation_created")
    webhook = parse(sound.event, json.dumps(orjson.loads(sound.body) | {place: value}).encode())
    assert isinstance(webhook, ConversationEvent)


@pytest.mark.parametrize("created_at", [10**20, "never", None, -1])
def test_a_conversation_without_a_beginning_is_refused_by_name(created_at: object) -> None:
    sound = next(one for one in account_webhooks(ALL_RUNS[0]) if one.event == "conversation_created")
    body = json.dumps(orjson.loads(sound.body) | {"created_at": created_at}).encode()
    with pytest.raises(ValidationError, match="created_at"):
        parse(sound.event, body)


@pytest.mark.parametrize(
    "marks", [7, [], "x", {"automation_rule_id": [1]}, {"deleted": {"at": 1}}, {"submitted_values": [1]}]
)
def test_marks_that_callers_of_the_api_set_to_anything_never_cost_the_message(marks: object) -> None:
    sound = next(one for one in account_webhooks(ALL_RUNS[0]) if one.event == "message_created")
    body = orjson.loads(sound.body) | {"content_attributes": marks, "additional_attributes": marks, "private": marks}
    assert isinstance(parse(sound.event, json.dumps(body).encode()), MessageEvent)
