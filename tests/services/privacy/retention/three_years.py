"""Three years of a store, generated; and what must be left of them, reckoned from the facts alone."""

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.services.attached import ACCOUNT_ID

YEARS = timedelta(days=3 * 365)
INBOXES = (5, 6)
HELD_CUSTOMER, HELD_CONTACT = "c0", 1
Row = dict[str, Any]
Left = dict[str, Counter[Any]]


@dataclass
class GeneratedStore:
    """`days` by kind, and every row by table; a row has its columns less the store."""

    chance: random.Random
    zone: str
    days: dict[str, int]
    now: datetime
    holds: bool = False
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def put(self, table: str, **columns: Any) -> None:
        self.rows.setdefault(table, []).append(columns)

    def at(self, after: datetime | None = None, *, within: timedelta = YEARS) -> datetime:
        begin = after or self.now - YEARS
        return min(self.now, begin + within * self.chance.random())

    def since(self, kind: str) -> datetime:
        """Midnight of the day, by the store's calendar, that is the last to be kept."""
        day = (self.now.astimezone(ZoneInfo(self.zone)) - timedelta(0)).date() - timedelta(days=self.days[kind])
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)


def generate(store: GeneratedStore) -> None:
    for number in range(1, 41):
        _conversation(store, number)
    for number in range(40):
        _order(store, f"o{number}", f"c{number % 15}")
        store.put("shop_facts", source="shop", event_id=f"r{number}", kind="customer.updated", happened_at=store.at(),
                  customer_id=f"c{number % 25}", order_id=None)  # fmt: skip
        begun = store.at()
        store.put("visits", customer_id=f"c{number % 25}", session_id=f"s{number}", first_at=begun,
                  last_at=store.at(begun, within=timedelta(days=90)))  # fmt: skip
        store.put("dead_letters", consumer_group=store.id.hex, topic="t", partition=0, era=1, record_offset=number,
                  kind="refused", reason="r", record_key=b"k", record_value=b"v", value_bytes=1,
                  set_aside_at=store.at())  # fmt: skip
        store.put("audit_log", actor="a", action="b", object=f"line {number}", at=store.at())
    for customer in {row["customer_id"] for row in store.rows["shop_facts"]}:
        store.put("customers", customer_id=customer)


def _conversation(store: GeneratedStore, number: int) -> None:
    chance, begun, inbox = store.chance, store.at(), store.chance.choice(INBOXES)
    lasts = timedelta(days=chance.choice((1, 30, 400)))
    moments = [begun]
    for message in range(chance.randrange(6)):
        at = store.at(begun, within=lasts)
        kind, message_type = chance.choice(
            (("incoming", "incoming"), ("human", "outgoing"), ("survey", "template"), ("unknown", "activity"))
        )
        store.put("messages", conversation_id=number, message_id=message, kind=kind, message_type=message_type,
                  private=False, created_at=at, deleted=False)  # fmt: skip
        moments.append(at)
    activity = max(moments)
    if chance.random() < 0.3:
        at = store.at(begun, within=lasts)
        store.put("ratings", conversation_id=number, message_id=99, answered_at=at, sent_at=at,
                  rating=chance.randrange(1, 6))  # fmt: skip
    if chance.random() < 0.5:
        store.put("changes", conversation_id=number, changed_at=store.at(begun, within=lasts), attribute="status",
                  previous='"open"', current='"resolved"')  # fmt: skip
    for ordinal, name in enumerate(("first_response", "conversation_resolved", "reply_time", "reply_time")):
        if chance.random() < 0.5:
            store.put("chatwoot_reporting_events", chatwoot_conversation_id=number, ordinal=ordinal, name=name,
                      value=chance.randrange(9_000), inbox_id=inbox, user_id=7, event_start=begun,
                      event_end=store.at(begun, within=activity - begun))  # fmt: skip
    contact = number % 9
    store.put("conversations", conversation_id=number, started_at=begun, inbox_id=inbox, contact_id=contact)
    store.put("chatwoot_conversations", chatwoot_conversation_id=number, chatwoot_account_id=ACCOUNT_ID,
              conversation_started_at=begun, last_activity_at=activity, chatwoot_contact_id=contact)  # fmt: skip


def _order(store: GeneratedStore, order: str, customer: str) -> None:
    placed = store.at()
    steps = {"placed_at": placed}
    for column in ("paid_at", "refunded_at", "cancelled_at"):
        if store.chance.random() < 0.4:
            steps[column] = store.at(placed, within=timedelta(days=200))
    for column, at in steps.items():
        kind = f"order.{column.removesuffix('_at')}"
        store.put("shop_facts", source="shop", event_id=f"{order} {kind}", kind=kind, happened_at=at,
                  customer_id=customer, order_id=order)  # fmt: skip
    store.put("orders", order_id=order, customer_id=customer, **steps)


def left(store: GeneratedStore) -> Left:
    """By table the rows that stay, each as `shown` shows it."""
    gone = {
        row["conversation_id"]
        for row in store.rows["conversations"]
        if _newest(store, row["conversation_id"]) < store.since("chat")
        and not (store.holds and row["contact_id"] == HELD_CONTACT)
    }
    shop, customers = store.since("shop"), [row["customer_id"] for row in store.rows["customers"]]
    last = {row["order_id"]: max(row[name] for name in row if name.endswith("_at")) for row in store.rows["orders"]}
    owner = {row["order_id"]: row["customer_id"] for row in store.rows["orders"]}

    def held(customer: str) -> bool:
        return store.holds and customer == HELD_CUSTOMER

    over = {order for order, at in last.items() if at < shop and not held(owner[order])}
    facts_left = [
        row
        for row in store.rows["shop_facts"]
        if (row["order_id"] not in over if row["order_id"] else row["happened_at"] >= shop or held(row["customer_id"]))
    ]
    known = {row["customer_id"] for row in facts_left}
    fewer = {row["customer_id"] for row in store.rows["shop_facts"] if row not in facts_left}
    letters, log, visits = store.since("dead_letters"), store.since("audit_log"), store.since("visits")
    stays: dict[str, Iterable[Any]] = {
        "customers": [(one, one in fewer) for one in customers if one in known],
        "orders": set(last) - over,
        "shop_facts": [row["event_id"] for row in facts_left],
        "visits": [row["session_id"] for row in store.rows["visits"]
                   if row["last_at"] >= visits or held(row["customer_id"])],
        "dead_letters": [(row["record_offset"], row["set_aside_at"] >= letters or store.holds)
                         for row in store.rows["dead_letters"]],
        "audit_log": [row["object"] for row in store.rows["audit_log"] if row["at"] >= log],
    }  # fmt: skip
    for table, number in _OF_CHATS.items():
        stays[table] = [row[number] for row in store.rows.get(table, ()) if row[number] not in gone]
    return {table: Counter(rows) for table, rows in stays.items()} | {"days": _days(store, gone)}


_OF_CHATS = {
    "messages": "conversation_id", "changes": "conversation_id", "ratings": "conversation_id",
    "conversations": "conversation_id", "chatwoot_conversations": "chatwoot_conversation_id",
    "chatwoot_reporting_events": "chatwoot_conversation_id",
}  # fmt: skip
SHOWN: dict[str, Callable[[Any], Any]] = {
    **{table: lambda row, number=number: row[number] for table, number in _OF_CHATS.items()},  # type: ignore[misc]
    "customers": lambda row: (row["customer_id"], row["outdated"]),
    "orders": lambda row: row["order_id"],
    "shop_facts": lambda row: row["event_id"],
    "visits": lambda row: row["session_id"],
    "dead_letters": lambda row: (row["record_offset"], row["record_value"] is not None),
    "audit_log": lambda row: row["object"],
}


def _newest(store: GeneratedStore, number: int) -> datetime:
    moments: list[datetime] = [row["last_activity_at"] for row in store.rows["chatwoot_conversations"]
               if row["chatwoot_conversation_id"] == number]  # fmt: skip
    for table, column in (("messages", "created_at"), ("changes", "changed_at"), ("ratings", "answered_at")):
        moments += [row[column] for row in store.rows.get(table, ()) if row["conversation_id"] == number]
    return max(moments)


def _days(store: GeneratedStore, gone: set[int]) -> Counter[tuple[date, int, str]]:
    """(day, inbox, figure) → its sum over the conversations that have left."""
    days: Counter[tuple[date, int, str]] = Counter()
    inboxes = {row["conversation_id"]: row["inbox_id"] for row in store.rows["conversations"]}

    def count(at: datetime, inbox: int, figure: str, number: int = 1) -> None:
        days[at.astimezone(ZoneInfo(store.zone)).date(), inbox, figure] += number

    for row in store.rows["conversations"]:
        if row["conversation_id"] in gone:
            count(row["started_at"], row["inbox_id"], "conversations")
    for row in store.rows["messages"]:
        if row["conversation_id"] in gone:
            inbox = inboxes[row["conversation_id"]]
            if row["message_type"] in ("incoming", "outgoing"):
                count(row["created_at"], inbox, f"{row['message_type']}_messages")
            if row["kind"] == "survey":
                count(row["created_at"], inbox, "surveys")
    for row in store.rows.get("ratings", ()):
        if row["conversation_id"] in gone:
            count(row["answered_at"], inboxes[row["conversation_id"]], f"rated_{row['rating']}")
    names = {"first_response": "first_response", "conversation_resolved": "resolution", "reply_time": "reply"}
    for row in store.rows["chatwoot_reporting_events"]:
        if row["chatwoot_conversation_id"] in gone:
            name = names[row["name"]]
            count(row["event_end"], row["inbox_id"], "replies" if name == "reply" else f"{name}s")
            count(row["event_end"], row["inbox_id"], f"{name}_seconds", row["value"])
    return Counter({key: number for key, number in days.items() if number})
