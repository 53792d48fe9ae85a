"""A row of every tenant table, and who may do what with it: the whole of row security, as the tests hold it to be."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

SERVICE, PRIVACY, INGRESS, OWNER = "wootstream_service", "wootstream_privacy", "wootstream_ingress", "wootstream_owner"
NOW = datetime.now(UTC)
READ, KEEP, CHANGE = {"select"}, {"select", "insert"}, {"select", "insert", "update"}
ALL = {"select", "insert", "update", "delete"}
ERASE = {"select", "update", "delete"}
MANAGERS = ("owner", "admin", "manager")
EVERYONE = (*MANAGERS, "staff")


@dataclass(frozen=True)
class Tenant:
    """`row` makes the nth row of a store, less its store; `everywhere` names those who see all stores' rows."""

    row: Callable[[int], Mapping[str, Any]]
    service: set[str]
    privacy: set[str] = field(default_factory=lambda: ERASE)
    people: tuple[str, ...] = ()
    ingress: set[str] = field(default_factory=set)
    owner: set[str] = field(default_factory=set)
    everywhere: frozenset[str] = frozenset()
    nobodys: frozenset[str] = frozenset()  # who sees the row that belongs to no store
    change: str = "organization_id"  # a column that whoever updates may update


def _contact(n: int) -> dict[str, Any]:
    return {"chatwoot_account_id": 1, "chatwoot_contact_id": n}


def _conversation(n: int) -> dict[str, Any]:
    return {"conversation_id": n}


TENANTS: dict[str, Tenant] = {
    "public.chatwoot_accounts": Tenant(
        lambda n: {
            "slug": f"s-{uuid.uuid4().hex[:12]}", "chatwoot_base_url": f"https://{uuid.uuid4().hex}.example",
            "chatwoot_account_id": n, "account_name": "shop", "website_token": uuid.uuid4().hex,
            "account_status": "active" if n == 1 else "deleted",
        },
        CHANGE, people=MANAGERS, ingress=READ, owner=ALL, everywhere=frozenset({INGRESS, OWNER}), change="locale",
    ),
    "public.chatwoot_contacts": Tenant(_contact, CHANGE, people=EVERYONE, change="phone"),
    "public.chatwoot_conversations": Tenant(
        lambda n: {"chatwoot_account_id": 1, "chatwoot_conversation_id": n}, CHANGE, people=EVERYONE
    ),
    "public.chatwoot_widget_events": Tenant(
        lambda n: {"id": uuid.uuid4(), "event_type": "widget_loaded", "created_at": NOW}, KEEP, people=MANAGERS
    ),
    "public.chatwoot_widget_daily": Tenant(
        lambda n: {
            "day": NOW.date(), "event_type": "widget_loaded", "page_group": "home", "device_class": "mobile",
            "load_ms": n, "events": 1,
        },
        ALL, people=MANAGERS, owner=READ, everywhere=frozenset({OWNER}), change="events",
    ),
    "public.chatwoot_conversation_daily": Tenant(
        lambda n: {"day": NOW.date(), "inbox_id": n}, READ, privacy=ALL, people=EVERYONE, change="conversations"
    ),
    "wootstream.chatwoot_deletions": Tenant(
        lambda n: {"chatwoot_account_id": 1, "conversation_id": n}, READ, privacy=ALL, change="left_at"
    ),
    "wootstream.retention": Tenant(
        lambda n: {"kind": ("chat", "widget", "shop")[n % 3], "days": 365},
        CHANGE, privacy=ALL, owner=READ, everywhere=frozenset({OWNER}), change="days",
    ),
    "wootstream.inboxes": Tenant(lambda n: {"inbox_id": n}, CHANGE),
    "wootstream.directory": Tenant(lambda n: {"kind": "agent", "id": n}, CHANGE),
    "wootstream.directory_readings": Tenant(lambda n: {"asked_at": NOW}, CHANGE),
    "wootstream.imported": Tenant(_conversation, KEEP),
    "wootstream.releases": Tenant(lambda n: {"since": NOW, "release": f"4.{n}"}, KEEP),
    "wootstream.messages": Tenant(
        lambda n: {
            "conversation_id": 1, "message_id": n, "kind": "incoming", "message_type": "incoming", "private": False,
            "created_at": NOW, "deleted": False,
        },
        CHANGE,
    ),
    "wootstream.changes": Tenant(
        lambda n: {"conversation_id": n, "changed_at": NOW, "attribute": "status", "previous": "1", "current": "2"},
        KEEP,
    ),
    "wootstream.ratings": Tenant(
        lambda n: {"conversation_id": 1, "message_id": n, "answered_at": NOW, "sent_at": NOW, "rating": 5}, CHANGE
    ),
    "wootstream.conversations": Tenant(_conversation, CHANGE),
    "wootstream.chatwoot_reporting_events": Tenant(
        lambda n: {
            "chatwoot_conversation_id": n, "ordinal": 1, "name": "first_response", "value": 1, "inbox_id": 1,
            "event_start": NOW, "event_end": NOW,
        },
        ALL,
    ),
    "wootstream.shop_facts": Tenant(
        lambda n: {
            "source": "shop", "event_id": f"e{n}", "kind": "order.placed", "happened_at": NOW, "customer_id": "c1",
        },
        KEEP,
    ),
    "wootstream.orders": Tenant(lambda n: {"order_id": f"o{n}"}, CHANGE, people=EVERYONE),
    "wootstream.customers": Tenant(lambda n: {"customer_id": f"c{n}"}, CHANGE, people=EVERYONE),
    "wootstream.visits": Tenant(
        lambda n: {"customer_id": "c1", "session_id": f"s{n}", "first_at": NOW, "last_at": NOW}, CHANGE
    ),
    "wootstream.contact_differences": Tenant(lambda n: _contact(n) | {"changed": {}, "removed": []}, CHANGE),
    "wootstream.contact_absences": Tenant(lambda n: {"customer_id": f"c{n}", "names_sha256": b"x"}, CHANGE),
    "wootstream.provisioning": Tenant(
        lambda n: {"step": ("user", "account", "member")[n % 3], "chatwoot_base_url": "https://a.example"}, CHANGE
    ),
    "wootstream.due": Tenant(lambda n: {"person": f"customer:c{n}"}, ALL),
    "wootstream.erased_subjects": Tenant(
        lambda n: {"digest": bytes([n]) * 16, "received_before": NOW, "request_id": uuid.uuid4()}, READ, privacy=ALL,
        change="request_id",
    ),
    "wootstream.consents": Tenant(
        lambda n: {"digest": bytes([n]) * 16, "purpose": "chat", "said_at": NOW, "given": True, "source": "verb"},
        KEEP, privacy=ALL, change="subject",
    ),
    "wootstream.privacy_requests": Tenant(
        lambda n: {"id": uuid.UUID(int=n), "kind": "erasure", "source": "verb", "deadline": NOW}, KEEP, privacy=ALL,
        change="state",
    ),
    "wootstream.privacy_steps": Tenant(
        lambda n: {"request_id": uuid.UUID(int=1), "step": f"step {n}", "proof": {}}, READ, privacy=ALL, change="proof"
    ),
    "wootstream.seal_trees": Tenant(
        lambda n: {"id": uuid.UUID(int=n), "begins_at": NOW, "tree": "v1.x.y"},
        KEEP | {"update"}, privacy=ALL, ingress=KEEP, everywhere=frozenset({INGRESS}), change="tree",
    ),
    "wootstream.erased_stores": Tenant(
        lambda n: {"slug": f"s{n}", "request_id": uuid.UUID(int=n), "source": "verb", "asked_at": NOW}, READ,
        privacy=CHANGE, change="source",
    ),
    "wootstream.legal_holds": Tenant(
        lambda n: {"digest": bytes([n]) * 16, "reason": "a lawsuit"}, READ, privacy=ALL, change="reason"
    ),
    "wootstream.audit_log": Tenant(
        lambda n: {"actor": "somebody", "action": "show", "object": f"letter {n}"},
        KEEP, privacy={"select", "insert"}, owner=ALL, everywhere=frozenset({OWNER}), nobodys=frozenset({SERVICE}),
        change="object",
    ),
    "wootstream.refusals": Tenant(
        lambda n: {"door": "webhooks", "reason": "signature", "count": n, "last_at": NOW},
        READ, privacy={"select", "delete"}, ingress={"select", "insert", "delete"},
        everywhere=frozenset({INGRESS}), nobodys=frozenset({SERVICE, PRIVACY}),
    ),
    "wootstream.dead_letters": Tenant(
        lambda n: {
            "consumer_group": uuid.uuid4().hex, "topic": "t", "partition": 0, "era": 1, "record_offset": n, "kind": "k",
            "reason": "r", "value_bytes": 1,
        },
        CHANGE, owner=READ, everywhere=frozenset({OWNER}), nobodys=frozenset({SERVICE}), change="redriven_at",
    ),
    "wootstream.dead_letter_counts": Tenant(
        lambda n: {}, READ, privacy=READ, owner=ALL, everywhere=frozenset({OWNER}), nobodys=frozenset({SERVICE}),
        change="letters",
    ),
    "wootstream.rotations": Tenant(
        lambda n: {"version": 2, "new_webhook": n}, CHANGE, ingress={"select", "update"},
        everywhere=frozenset({INGRESS}), change="verified_at",
    ),
    "wootstream.members": Tenant(
        lambda n: {"user_id": uuid.UUID(int=n), "role": "staff"},
        ALL, privacy={"select", "delete"}, owner=ALL, everywhere=frozenset({OWNER}), change="role",
    ),
}  # fmt: skip
