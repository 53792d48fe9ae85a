"""The stores of a recorded run as stores of one test, and the handler as the kernel calls it: on real PostgreSQL."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from db import stores as table
from db.pool import Connection, Pool, Row, scoped
from db.reporting import account_details
from schemas.topics import WEBHOOKS
from services.conversations import events, handlers
from services.conversations.figures.facts import ConversationState
from services.conversations.figures.lifecycle import ReportingEvent
from services.kernel import Record
from tests.recordings.recorded import Delivery, stores

_FIRST_ARRIVAL = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """A recorded store under an organization of this test's own."""

    id: uuid.UUID
    account: int
    recorded: dict[str, Any]


async def install(admin: Pool, run: str, *, told_of_bots: bool = True) -> dict[str, Shop]:
    """Attach the stores of a run, each under a new organization and a new installation's address."""
    shops = {}
    for store in stores(run):
        shop = Shop(uuid.uuid4(), store["account"], store)
        async with admin.acquire() as conn:
            await attach(conn, shop.id, account=shop.account, release=store["release"])
            await account_details.mark_bots(conn, shop.id, store["bot_inboxes"] * told_of_bots)
        shops[store["name"]] = shop
    return shops


async def attach(conn: Connection, organization: uuid.UUID, *, account: int, release: str = "4.13.0") -> None:
    """A store with what conversations need of it."""
    name = slug(organization)
    await table.add_organization(conn, organization, name)
    await conn.execute(
        "insert into public.chatwoot_accounts (organization_id, slug, chatwoot_base_url, chatwoot_account_id,"
        " account_name, release, website_token) values ($1, $2, $3, $4, $2, $5, $2)",
        *(organization, name, f"https://{organization.hex}.example", account, release),
    )


def slug(organization: uuid.UUID) -> str:
    """What the store is called at the command line."""
    return f"shop-{organization.hex[:12]}"


def iso(seconds: int) -> str:
    """A moment as the command line takes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def record(organization: uuid.UUID, event: str, body: bytes, *, received_at: datetime, key: bytes = b"none") -> Record:
    """What ingress makes of a webhook, without Chatwoot's send time."""
    return Record.accepted(
        WEBHOOKS.name,
        key=key,
        value=body,
        store=organization,
        event=event,
        origin="webhook",
        received_at=received_at,
    )


def records(given: Iterable[Delivery], shops: dict[str, Shop]) -> list[Record]:
    """Records of these deliveries. The arrival follows the order given, so it tells nothing of the true one."""
    return [
        record(
            shops[one.store].id,
            one.event,
            one.body,
            received_at=_FIRST_ARRIVAL + timedelta(seconds=position),
            key=_key(shops[one.store], one),
        )
        for position, one in enumerate(given)
    ]


def _key(shop: Shop, given: Delivery) -> bytes:
    body = orjson.loads(given.body)
    return f"{shop.id}:conversation:{body.get('conversation', body)['id']}".encode() if "id" in body else b"none"


async def apply(pool: Pool, given: Sequence[Record], *, batch: int = 100) -> list[Record]:
    """Apply in batches, each in a transaction with the batch's stores in scope; answers the news."""
    news: list[Record] = []
    for start in range(0, len(given), batch):
        part = given[start : start + batch]
        facts = [event for one in part if (event := events.read(one))]
        async with scoped(pool, {one.store for one in part}) as conn:
            news += await handlers.keep(conn, facts) if facts else ()
    return news


async def events_of(conn: Connection, organization: uuid.UUID) -> dict[int, list[ReportingEvent]]:
    """The stored reporting events by conversation."""
    answer: dict[int, list[ReportingEvent]] = defaultdict(list)
    for row in await conn.fetch(
        "select * from wootstream.chatwoot_reporting_events where organization_id = $1 order by 2, 3", organization
    ):
        columns = ("name", "value", "user_id", "event_start", "event_end", "approximate")
        event = ReportingEvent(*(row[column] for column in columns))
        answer[row["chatwoot_conversation_id"]].append(event)
    return answer


async def states_of(conn: Connection, organization: uuid.UUID) -> dict[int, ConversationState]:
    """How the stored rows say that conversations stand."""
    rows = await conn.fetch(
        "select h.*, c.assignee_name, c.last_activity_at from wootstream.conversations h"
        " join public.chatwoot_conversations c on c.organization_id = h.organization_id"
        " and c.chatwoot_conversation_id = h.conversation_id and c.status = h.status"
        " and c.assignee_id is not distinct from h.assignee_id"
        " and c.chatwoot_contact_id is not distinct from h.contact_id"
        " where h.organization_id = $1",
        organization,
    )
    return {row["conversation_id"]: _state(row) for row in rows}


def _state(row: Row) -> ConversationState:
    return ConversationState(
        *(row["contact_id"], row["inbox_id"], row["status"], row["assignee_id"], row["assignee_type"]),
        *(row["assignee_name"], row["team_id"], row["priority"], tuple(row["labels"]), row["first_reply_at"]),
        *(row["waiting_since"], row["snoozed_until"], row["last_activity_at"], row["started_at"]),
    )


async def ratings_of(conn: Connection, organization: uuid.UUID) -> dict[int, dict[int, int]]:
    """The stored answers by conversation and survey."""
    answer: dict[int, dict[int, int]] = defaultdict(dict)
    for row in await conn.fetch("select * from wootstream.ratings where organization_id = $1", organization):
        answer[row["conversation_id"]][row["message_id"]] = row["rating"]
    return answer
