"""What changed → which webhooks hear of it (app/listeners/webhook_listener.rb)."""

from collections.abc import Callable
from typing import Any

from local.chatwoot.model.changes import is_notified
from local.chatwoot.model.rows import (
    Account,
    Bot,
    Contact,
    ContactInbox,
    Conversation,
    Inbox,
    JsonObject,
    Message,
    User,
)
from local.chatwoot.model.state import DoubleState
from local.chatwoot.webhooks import payloads
from local.chatwoot.webhooks.delivery import Deliveries, Target

_BOT_EVENTS = set(
    "message_created message_updated webwidget_triggered conversation_opened conversation_resolved".split()
)
_MODERN_BOT_EVENTS = _BOT_EVENTS | {"conversation_updated", "conversation_status_changed"}


class WebhookListener:
    """The events of one installation; every method queues deliveries and returns at once."""

    def __init__(self, state: DoubleState, deliveries: Deliveries) -> None:
        self._state = state
        self._deliveries = deliveries

    def contact_created(self, row: Contact) -> None:
        self._tell(row.account_id, None, "contact_created", lambda: payloads.contact(self._state, row))

    def contact_updated(self, row: Contact, changed: list[JsonObject]) -> None:
        """Silent when nothing changed."""
        if changed:
            build = lambda: payloads.contact(self._state, row) | {"changed_attributes": changed}  # noqa: E731
            self._tell(row.account_id, None, "contact_updated", build)

    def conversation_created(self, row: Conversation) -> None:
        self._conversation(row, "conversation_created", {})

    def conversation_updated(self, row: Conversation, changed: list[JsonObject]) -> None:
        """The transition is named here; conversation_status_changed carries null (185 of 185 recorded)."""
        if any("status" in one for one in changed):
            if row.status in ("open", "resolved"):
                named = {"open": "conversation_opened", "resolved": "conversation_resolved"}[row.status]
                self._conversation(row, named, {})
            self._conversation(row, "conversation_status_changed", {"changed_attributes": None})
        if is_notified(changed):
            self._conversation(row, "conversation_updated", {"changed_attributes": changed})

    def message_created(self, row: Message) -> None:
        self._message(row, "message_created")

    def message_updated(self, row: Message) -> None:
        self._message(row, "message_updated")

    def widget_opened(self, identity: ContactInbox, inbox: Inbox, event_info: JsonObject) -> None:
        build = lambda: payloads.widget_opened(self._state, identity, inbox, event_info)  # noqa: E731
        self._tell(inbox.account_id, inbox, "webwidget_triggered", build)

    def typing(self, row: Conversation, who: User | Bot, *, on: bool, private: bool) -> None:
        build = lambda: payloads.typing(self._state, row, who, private=private)  # noqa: E731
        name = "conversation_typing_on" if on else "conversation_typing_off"
        self._tell(row.account_id, self._state.inboxes[row.inbox_id], name, build)

    def automation(self, row: Conversation, url: str) -> None:
        """A rule's own webhook is neither signed nor numbered."""
        body = lambda: payloads.conversation(self._state, row) | {"event": "automation_event.message_created"}  # noqa: E731
        self._deliveries.add(Target(url, None, signs=False), body)

    def _conversation(self, row: Conversation, event: str, more: JsonObject) -> None:
        inbox = self._state.inboxes[row.inbox_id]
        self._tell(row.account_id, inbox, event, lambda: payloads.conversation(self._state, row) | more)

    def _message(self, row: Message, event: str) -> None:
        if row.message_type != "activity":
            inbox = self._state.inboxes[row.conversation.inbox_id]
            self._tell(inbox.account_id, inbox, event, lambda: payloads.message(self._state, row))

    def _tell(self, account_id: int, inbox: Inbox | None, event: str, build: Callable[[], JsonObject]) -> None:
        for target in self._targets(self._state.accounts[account_id], inbox, event):
            self._deliveries.add(target, lambda: build() | {"event": event})

    def _targets(self, account: Account, inbox: Inbox | None, event: str) -> list[Target]:
        signs = self._state.release.signs
        targets = [Target(hook.url, hook.secret, signs) for hook in account.webhooks.values() if _hears(hook, event)]
        if inbox and inbox.channel.get("webhook_url") and event not in ("conversation_opened", "conversation_resolved"):
            targets.append(Target(inbox.channel["webhook_url"], inbox.secret, signs))
        if inbox and inbox.bot and inbox.bot.outgoing_url and event in self._bot_events():
            targets.append(Target(inbox.bot.outgoing_url, inbox.bot.secret, signs))
        return targets

    def _bot_events(self) -> set[str]:
        return _MODERN_BOT_EVENTS if self._state.release.since(4, 13) else _BOT_EVENTS


def _hears(hook: Any, event: str) -> bool:
    return event in hook.subscriptions
