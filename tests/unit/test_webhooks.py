"""Every recorded body parses, of every kind and both releases."""

import pytest

from schemas.conversations import ConversationEvent, MessageEvent
from schemas.webhooks import ContactEvent, WidgetEvent, parse
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
