"""What a doctor sees where all is well; a test changes the one thing that it is about."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schemas.topics import Topic
from services.control.doctor.seen import (
    AccountSeen,
    DatabaseSeen,
    KafkaSeen,
    MachineSeen,
    RoleSeen,
    ServerSeen,
    StoreRow,
    TopicSeen,
    WebhookSeen,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TOPIC = Topic("shop.events", kept_days=21)
URL = "https://hooks.example"
EVENTS = ("message_created", "contact_updated")
ATTRIBUTES = ("customer_tier", "order_count")

MACHINE = MachineSeen(
    release="1.0", python=(3, 12), directory="/data/spool", mode=0o700, writable=True, free_bytes=2**34,
    spool_bytes=2**31, key_from="from /run/key", public_url=URL, public_addresses=("198.51.100.7",),
)  # fmt: skip
TOPIC_SEEN = TopicSeen(
    partitions=12, replicas=3, behind=0, leaderless=0, settings=TOPIC.overrides(min_insync_replicas=2)
)
KAFKA = KafkaSeen(
    servers=("k1:9092", "k2:9092"),
    security="sasl_tls",
    brokers=3,
    since_4=True,
    replication=3,
    topics={TOPIC.name: TOPIC_SEEN},
)
DATABASE = DatabaseSeen(
    version=150_004, missing=(), newer=(), changed=(),
    roles=(RoleSeen("wootstream_service", bypasses=False, granted=True),), unprotected=(), public=(),
    lacking=(), partitions_until=datetime(2026, 7, 1, tzinfo=UTC), ahead_seconds=0.01, read_only=False,
    standby=False, encrypted=True, local=False, pooled=False, has_direct_url=False, lowers_all=True,
)  # fmt: skip
SERVER = ServerSeen(base_url="https://chat.example", stores=2, release="4.13.0", fault=None, ahead_seconds=0.2)
STORE = StoreRow(
    organization=UUID(int=1), slug="nl", base_url="https://chat.example", account_id=3,
    webhook_path="/webhooks/chatwoot/nl", path_tokens_sha256=(), push="live", has_domains=True, allowed=None,
    token="t", webhook_secrets=("s3cret",), sealed=(), last_activity_at=NOW,
)  # fmt: skip
WEBHOOK = WebhookSeen(url=f"{URL}/webhooks/chatwoot/nl", subscriptions=frozenset(EVENTS), secret="s3cret")
ACCOUNT = AccountSeen(webhooks=(WEBHOOK,), definitions=frozenset(ATTRIBUTES), conversations=2, last_activity_at=NOW)


def topic(**changed: Any) -> KafkaSeen:
    return replace(KAFKA, topics={TOPIC.name: replace(TOPIC_SEEN, **changed)})


def webhook(**changed: Any) -> AccountSeen:
    return replace(ACCOUNT, webhooks=(replace(WEBHOOK, **changed),))
