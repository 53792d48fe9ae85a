"""A store, a visitor of its pages and a contact of its chats, and what they say: each as the consumers take it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from db.pool import Pool, scoped
from schemas.beacons import CONSENT
from schemas.topics import WEBHOOKS, WIDGET_EVENTS
from services.conversations import events as conversation_events
from services.conversations import handlers as conversation_handlers
from services.kernel import Process, Record
from services.kernel.consent.analytics import AnalyticsConsent
from services.kernel.consent.chats import ChatConsent
from services.kernel.consent.words import ConsentWord, ConsentWords
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.consent.applying import apply_waiting
from services.widget import events as widget_events
from services.widget import handlers as widget_handlers
from tests.recordings.recorded import account_webhooks
from tests.services.attached import ACCOUNT_ID, attach
from tests.services.widget.test_handlers import event, post

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
CONTACT, CONVERSATION = 41, 7
_CHATS = """
select c.contact_id, c.contact_digest is not null as hashed, c.seen ->> 'contact_id' as seen, s.chatwoot_contact_id,
  s.customer_tier, s.customer_value, s.order_count, s.message_count,
  (select array_agg(sender_id order by message_id) from wootstream.messages m
    where m.organization_id = c.organization_id and m.conversation_id = c.conversation_id) as senders
from wootstream.conversations c join public.chatwoot_conversations s
  on s.organization_id = c.organization_id and s.chatwoot_conversation_id = c.conversation_id
where c.organization_id = $1 order by c.conversation_id
"""
_PAGES = """
select created_at, event_type, session_id, customer_id, page_url, user_agent, event_data
from public.chatwoot_widget_events where organization_id = $1 order by created_at, id
"""
_DAYS = """
select event_type, page_group, device_class, events from public.chatwoot_widget_daily
where organization_id = $1 order by 1, 2, 3
"""


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


@dataclass
class Speaker:
    """One store with one person, known to shop and Chatwoot."""

    process: Process
    admin: Pool
    store: uuid.UUID

    @classmethod
    async def known(cls, process: Process, admin: Pool, **account: Any) -> "Speaker":
        store = await attach(admin, **account)
        async with admin.acquire() as conn:
            await conn.execute(
                "insert into wootstream.customers (organization_id, customer_id, email, customer_tier, order_count,"
                " spent) values ($1, 'c1', 'anna@x.example', 'gold', 3, '{\"EUR\": 12345}')", store,
            )  # fmt: skip
            await conn.execute(
                "insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id,"
                " email) values ($1, $2, $3, 'anna@x.example')", store, ACCOUNT_ID, CONTACT,
            )  # fmt: skip
        return cls(process, admin, store)

    async def says(self, subject: Subject, purpose: Any, at: int, *, given: bool) -> None:
        word = ConsentWord(self.store, subject, purpose, given, minute(at), "shop", "v1")
        async with scoped(self.process.pool(), {self.store}) as conn:
            await ConsentWords(self.process.secrets).add(conn, [word])

    async def visits(self, at: int) -> set[Record]:
        page = event(
            minute(at),
            session_id="s1",
            page_url="https://x.example/cart",
            user_agent="Mozilla",
            event_type="page_viewed",
        )
        return await self.kept(post(self.store, page, received_at=minute(at)))

    async def kept(self, record: Record) -> set[Record]:
        asks = AnalyticsConsent(Pseudonyms(self.process.secrets))
        read = widget_events.read(record)
        assert read is not None
        async with scoped(self.process.pool(), {self.store}) as conn:
            return await widget_handlers.keep(conn, [read], asks.withdrawn)

    async def writes(self, at: int) -> None:
        chats = ChatConsent(Pseudonyms(self.process.secrets))
        read = conversation_events.read(message(self.store, at))
        assert read is not None
        async with scoped(self.process.pool(), {self.store}) as conn:
            await conversation_handlers.keep(conn, [read], chats.withheld)

    async def settled(self) -> None:
        while await apply_waiting(self.process, [self.store]):
            pass

    async def stored(self) -> dict[str, Sequence[dict[str, Any]]]:
        async with self.admin.acquire() as conn:
            found = {
                name: await conn.fetch(query, self.store)
                for name, query in (("chats", _CHATS), ("pages", _PAGES), ("days", _DAYS))
            }
        return {name: [dict(row) for row in rows] for name, rows in found.items()}


def message(store: uuid.UUID, at: int) -> Record:
    """A contact's message, in a body like the recorded ones."""
    like = orjson.loads(next(one.body for one in account_webhooks("chatwoot-4.13.0") if one.event == "message_created"))
    moment = minute(at)
    state = {"id": CONVERSATION, "created_at": int(NOON.timestamp()), "updated_at": moment.timestamp()}
    conversation = {**like["conversation"], **state}
    conversation["meta"] = {**conversation["meta"], "sender": {**(conversation["meta"]["sender"] or {}), "id": CONTACT}}
    conversation["contact_inbox"] = {**(conversation.get("contact_inbox") or {}), "contact_id": CONTACT}
    body = {
        **like, "id": 900 + at, "created_at": moment.isoformat(timespec="milliseconds"), "message_type": "incoming",
        "sender": {"id": CONTACT, "type": "contact"}, "conversation": conversation,
    }  # fmt: skip
    return Record.accepted(
        WEBHOOKS.name, key=b"", value=orjson.dumps(body), store=store, event="message_created", origin="webhook",
        received_at=moment,
    )  # fmt: skip


def told(store: uuid.UUID, at: int, *, given: bool, customer: str | None = None) -> Record:
    """As the door writes a visitor's word down."""
    said = {"session_id": "s1", "customer_id": customer, "purpose": "analytics", "given": given, "said_at": minute(at)}
    return Record.accepted(
        WIDGET_EVENTS.name, key=b"", value=orjson.dumps([said]), store=store, event=CONSENT, origin="beacon",
        received_at=minute(at),
    )  # fmt: skip
