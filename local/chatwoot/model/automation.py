"""Automation rules, as far as the recordings use them: a message that contains a text gets an answer or a webhook."""

from local.chatwoot.model import talk
from local.chatwoot.model.rows import JsonObject, Message
from local.chatwoot.model.state import DoubleState
from local.chatwoot.webhooks.listener import WebhookListener


def react(state: DoubleState, events: WebhookListener, message: Message) -> None:
    """Rules never answer a rule's own message."""
    if "automation_rule_id" in message.content_attributes:
        return
    for rule in state.accounts[message.conversation.account_id].rules.values():
        if rule["event_name"] == "message_created" and all(_meets(message, one) for one in rule["conditions"]):
            for action in rule["actions"]:
                _act(state, events, message, rule["id"], action)


def _meets(message: Message, condition: JsonObject) -> bool:
    wanted = condition["attribute_key"] == "content" and condition["filter_operator"] == "contains"
    return wanted and any(text.lower() in (message.content or "").lower() for text in condition["values"])


def _act(state: DoubleState, events: WebhookListener, message: Message, rule_id: int, action: JsonObject) -> None:
    parameter = action["action_params"][0]
    if action["action_name"] == "send_message":
        talk.say(state, events, message.conversation, parameter, content_attributes={"automation_rule_id": rule_id})
    if action["action_name"] == "send_webhook_event":
        events.automation(message.conversation, parameter)
