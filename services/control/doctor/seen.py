"""What the doctor looks at, as plain values: `judging` reads nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic as the cluster describes it; `settings` are all that hold for it, ours and the cluster's."""

    partitions: int
    replicas: int  # of the partition that has the fewest
    behind: int  # partitions of which a replica is not in sync
    leaderless: int
    settings: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class KafkaSeen:
    """The cluster, and of our topics those that it has."""

    servers: Sequence[str]
    security: str
    brokers: int
    since_4: bool
    replication: int  # as the settings want it
    topics: Mapping[str, TopicSeen]
    topic_bytes: int | None = None  # as the settings want it
    ahead_seconds: float | None = None  # of our clock; None where it does not tell its own


@dataclass(frozen=True, slots=True)
class RoleSeen:
    """A role of ours, and whether the login in use may become it."""

    name: str
    bypasses: bool
    granted: bool


@dataclass(frozen=True, slots=True)
class DatabaseSeen:
    """PostgreSQL as the services find it."""

    version: int  # 150004
    missing: Sequence[str]
    newer: Sequence[str]  # migrations that this release does not know
    changed: Sequence[str]
    roles: Sequence[RoleSeen]
    unprotected: Sequence[str]  # tables of stores whose row security is not forced
    public: Sequence[str]  # tables of ours with a grant to everybody
    lacking: Sequence[str]  # role, privilege and table that it needs and has not
    partitions_until: datetime | None
    ahead_seconds: float  # of our clock
    read_only: bool
    standby: bool  # and for that reason read-only
    encrypted: bool
    local: bool
    pooled: bool
    has_direct_url: bool
    lowers_all: bool  # letters, not ASCII alone: who wrote an e-mail address in capitals is found by it


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """Where this process runs, and what it was told."""

    release: str
    python: tuple[int, int]
    directory: str
    mode: int | None  # None: not made yet, and `directory` is what it would be made in
    writable: bool
    free_bytes: int
    spool_bytes: int
    key_from: str  # "" where there is none yet
    public_url: str
    public_addresses: Sequence[str]  # empty: the name is unknown
    java: str | None = None  # of the local stack, which needs it: where it is, "" where it is absent; None: not needed


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """One Chatwoot server, asked for its release."""

    base_url: str
    stores: int
    release: str | None
    fault: str | None
    ahead_seconds: float | None  # of our clock; None where it does not say its own


@dataclass(frozen=True, slots=True)
class WebhookSeen:
    """One account webhook as Chatwoot lists it."""

    url: str
    subscriptions: frozenset[str]
    secret: str | None


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What our own tables say of a store, secrets opened."""

    organization: UUID
    slug: str
    base_url: str
    account_id: int
    webhook_path: str
    path_tokens_sha256: Sequence[bytes]  # the current one first, and while it is rotated the one before; none: signed
    push: str
    has_domains: bool
    allowed: frozenset[str] | None
    token: str | None = field(repr=False)
    webhook_secrets: Sequence[str] = field(repr=False)
    sealed: Sequence[str]  # columns that this installation key does not open
    last_activity_at: datetime | None  # of the conversations that we know


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """What its Chatwoot says of a store. None: not asked, or not told."""

    refused: str | None = None
    webhooks: Sequence[WebhookSeen] | None = None
    definitions: frozenset[str] | None = None
    conversations: int | None = None
    last_activity_at: datetime | None = None
