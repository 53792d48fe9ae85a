"""Two people of one shop, and all that is ever received about them: chats, orders, visits, what nobody can read."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas import topics
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.kernel.sealing.whose import of_customer, of_webhook
from tests.services.widget.test_handlers import event as beacon


@dataclass(frozen=True)
class Visitor:
    """One of them; each name is found nowhere else."""

    store: uuid.UUID
    mark: str  # in every name
    number: int  # of their contact; its end, of the conversation, whose figures stay

    @property
    def email(self) -> str:
        return f"{self.mark}.Doe@Mail.example"

    @property
    def phone(self) -> str:
        return f"+31 6 {self.number}"

    @property
    def customer(self) -> str:
        return f"shop-{self.mark}"

    @property
    def needles(self) -> list[str]:
        """What a search for them looks for, in any case."""
        return [
            self.mark, self.email, f"316{self.number}", str(self.number), self.phone, f"198.51.100.{self.number % 200}",
        ]  # fmt: skip

    def told(self, word: str) -> list[Record]:
        """One round of everything; `word` makes it another round."""
        return [*self._of_chatwoot(word), *self._of_the_shop(word), *self._of_the_page(word), *self._of_nobody(word)]

    def _of_chatwoot(self, word: str) -> list[Record]:
        person = {
            "id": self.number, "name": f"{self.mark} Doe", "email": self.email, "phone_number": self.phone,
            "identifier": self.customer,
        }  # fmt: skip
        talk = {
            "id": self.number % 1_000, "inbox_id": 1, "status": "open", "created_at": 1_760_000_000,
            "timestamp": 1_760_000_000,
            "meta": {"sender": person}, "contact_inbox": {"contact_id": self.number}, "messages": [],
        }  # fmt: skip
        message = {
            "event": "message_created", "id": self.number % 1_000 * 100 + len(word), "message_type": "incoming",
            "content": f"I am {self.mark} and live at 9 {self.mark} street", "created_at": "2025-10-09T08:53:21Z",
            "sender": person, "conversation": talk, "inbox": {"id": 1, "name": "web"},
        }  # fmt: skip
        stamp = {"updated_at": {"previous_value": None, "current_value": f"2025-10-09T08:53:2{len(word) % 10}Z"}}
        changed = {"changed_attributes": [stamp]}
        return [
            self._record(topics.WEBHOOKS, "contact_updated", f"contact:{self.number}", person | changed),
            self._record(topics.WEBHOOKS, "conversation_created", f"conversation:{self.number % 1_000}", talk),
            self._record(topics.WEBHOOKS, "message_created", f"conversation:{self.number % 1_000}", message),
        ]

    def _of_the_shop(self, word: str) -> list[Record]:
        about: dict[str, dict[str, Any]] = {
            "customer.updated": {"email": self.email, "phone": self.phone, "name": f"{self.mark} Doe"},
            "order.placed": {"order_id": f"order-{self.mark}-{word}", "amount_minor": 5_000, "currency": "EUR"},
        }
        return [
            self._record(topics.SHOP_EVENTS, kind, self.customer, {
                "specversion": "1.0", "id": f"{kind}-{self.mark}-{word}", "source": "shop", "type": kind,
                "time": "2025-10-09T09:00:00Z", "data": {"customer_id": self.customer} | data,
            })
            for kind, data in about.items()
        ]  # fmt: skip

    def _of_the_page(self, word: str) -> list[Record]:
        seen = beacon(
            customer_id=self.customer, session_id=f"session-{self.mark}", event_type="page_viewed",
            page_url=f"https://shop.example/{self.mark}/{word}", user_agent=f"browser of {self.mark}",
            ip_address=f"198.51.100.{self.number % 200}", event_data={"search": self.mark},
        )  # fmt: skip
        guest = beacon(session_id=f"session-{self.mark}", event_type="widget_opened")
        return [self._record(topics.WIDGET_EVENTS, "beacon", f"session-{self.mark}", [seen, guest])]

    def _of_nobody(self, word: str) -> list[Record]:
        """What no service can read is set aside whole."""
        return [
            self._record(topics.WEBHOOKS, "contact_created", "contact:x", {"email": self.email, "name": self.mark}),
            self._record(topics.SHOP_EVENTS, "order.placed", self.customer, {"customer": self.mark, "word": word}),
        ]

    def _record(self, topic: topics.Topic, event: str, key: str, body: Any) -> Record:
        return Record.accepted(
            topic.name, key=f"{self.store}:{key}".encode(), value=orjson.dumps(body), store=self.store, event=event,
            origin="webhook", received_at=datetime.now(UTC),
        )  # fmt: skip


def whose(record: Record) -> Iterable[Subject]:
    """Whom its door would seal it for."""
    body, subject = orjson.loads(record.value), (record.key or b"").decode().partition(":")[2]
    if record.topic == topics.WEBHOOKS.name:
        return of_webhook(record.event or "", subject if subject != "contact:x" else "account", body)
    if record.topic == topics.SHOP_EVENTS.name:
        data = body.get("data", {})
        return of_customer(subject, data.get("email"), data.get("phone"))
    return subjects_named(sessions=[subject], customers=[one.get("customer_id") for one in body])
