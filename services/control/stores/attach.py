"""`stores`: attach an existing Chatwoot account, or change what is known of it; list them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

import asyncpg

from db import stores as table
from db.people import due
from db.pool import Connection, Pool, Row, scoped
from db.privacy import erased_stores
from db.reporting import account_details
from schemas.stores import StoreOptions
from services.control.keys.another import destroy_lost_trees, refuse_another_key
from services.control.stores.row import wanted
from services.kernel.actor import note
from services.kernel.cli.environment import database, stores_named
from services.kernel.clock import Clock
from services.kernel.errors import Refusal
from services.kernel.sealing.planting import tend
from services.kernel.secrets import Secrets, load_secrets
from services.kernel.settings import Settings

# Drawn once: the name space in which short names become ids.
_NAMES = UUID("5f1f8f5e-6f8c-4b3a-9d55-0d6c7a1b2e94")
_OF_EVERYBODY = ("push", "formats", "allowed_attributes", "agents_may_change", "currency", "timezone")
_TAKEN = {
    "chatwoot_accounts_slug_key": "its short name belongs to another store",
    "chatwoot_accounts_website_token_key": "its website token belongs to another store",
    "chatwoot_accounts_chatwoot_base_url_chatwoot_account_id_key": "its Chatwoot account belongs to another store",
    "chatwoot_accounts_one_live": "the organization has another account",
}


@dataclass(frozen=True, slots=True)
class Added:
    """What came of it. Secrets made here are told this once: the database holds them sealed or hashed."""

    slug: str
    organization_id: UUID
    outcome: Literal["added", "changed", "unchanged"]
    unsigned: bool
    path_token: str | None = field(repr=False)  # as given or made now; None: signed, or made earlier
    made_event_secret: str | None = field(repr=False)
    made_vouching_secret: str | None = field(repr=False)
    zone_changed: bool = False

    @property
    def to_do(self) -> str | None:
        """What is left to a person: counting anew takes as long as there are days."""
        if not self.zone_changed:
            return None
        return f"its events were counted by the days of the zone before: `wootstream partitions rebuild {self.slug}`"

    @property
    def webhook_path(self) -> str | None:
        """Where Chatwoot posts; None where its token was told earlier and cannot be told again."""
        path = f"/webhooks/chatwoot/{self.slug}"
        if self.unsigned:
            return f"{path}/{self.path_token}" if self.path_token else None
        return path

    def as_json(self, public_url: str) -> dict[str, Any]:
        """For a script, with the secrets that are told this once."""
        address = public_url.rstrip("/")
        return {
            "slug": self.slug,
            "organization_id": self.organization_id,
            "outcome": self.outcome,
            "webhook_url": address + self.webhook_path if self.webhook_path else None,
            "event_url": f"{address}/events/{self.slug}",
            "event_secret": self.made_event_secret,
            "vouching_secret": self.made_vouching_secret,
            "to_do": self.to_do,
        }


async def add(settings: Settings, store: StoreOptions) -> Added:
    """Attach the account, or change what `store` names; the same call again changes nothing. Raises Refusal."""
    vault = load_secrets(settings)
    async with database(settings) as pool:
        return await put(pool, vault, store)


async def set_seal(pool: Pool, vault: Secrets, slug: str, *, seal: bool) -> Added:
    """Let the store's records be sealed from now on, or no longer. Raises Refusal where there is no such store."""
    await stores_named(pool, slug)
    return await put(pool, vault, StoreOptions(slug=slug, seal=seal), action="stores set")


async def put(pool: Pool, vault: Secrets, store: StoreOptions, *, action: str = "stores add") -> Added:
    """The same, where a pool is open; `action` is what the audit log calls it."""
    organization = await organization_of(pool, store.slug, store.organization_id)
    if not store.key_lost:
        await refuse_another_key(pool, vault, store.slug)
    try:
        async with scoped(pool, {organization}) as conn:
            return await _put(conn, store, organization, vault, action)
    except asyncpg.UniqueViolationError as taken:
        reason = _TAKEN.get(taken.constraint_name, f"{taken.constraint_name} refuses it")
        raise Refusal(f"store {store.slug} cannot be added: {reason}") from taken
    except asyncpg.ForeignKeyViolationError as absent:
        raise Refusal(f"there is no organization {organization}: make it, and name it with --organization") from absent


async def listed(settings: Settings) -> Sequence[Row]:
    """Every store, without its secrets."""
    async with database(settings) as pool:
        known = await stores_named(pool, None)
        async with scoped(pool, known.values()) as conn:
            return await table.listed(conn)


async def organization_of(pool: Pool, slug: str, given: UUID | None) -> UUID:
    """The id that goes with the short name already; for a new one the id given, else one derived from the name.

    Derived and not drawn: two commands at once mean the same store, and a database made anew recognises the store whose
    records the topics still hold.
    """
    async with pool.acquire(timeout=10) as conn:
        known = {row["slug"]: row for row in await table.everyone(conn)}
    row = known.get(slug)
    if row is None:
        return given or uuid5(_NAMES, slug)
    if row["account_status"] == "deleted":
        raise Refusal(f"store {slug} was deleted: take another short name")
    if given not in (None, row["organization_id"]):
        raise Refusal(f"store {slug} is organization {row['organization_id']} already")
    return UUID(str(row["organization_id"]))


def _changed(before: Row | None, columns: Mapping[str, object]) -> str:
    """The names alone: what stands in them may be a secret."""
    names = [name for name in sorted(columns) if before is None or columns[name] != before[name]]
    return f"{'changed' if before else 'attached'}: {', '.join(names)}"


def _concerns_everybody(before: Row | None, columns: Mapping[str, Any]) -> bool:
    """Whether nothing was sent about its customers so far, or what is sent of each looks different from now on."""
    if columns["push"] == "off" or before is None:
        return bool(columns["push"] != "off")
    return any(columns[name] != before[name] for name in _OF_EVERYBODY)


async def _ensure_organization(conn: Connection, organization: UUID, name: str) -> None:
    """A row where the table is ours. A host's own table is the host's to fill; the foreign key tells whether it did."""
    with suppress(asyncpg.InsufficientPrivilegeError, asyncpg.NotNullViolationError):
        async with conn.transaction():
            await table.add_organization(conn, organization, name)


async def _put(conn: Connection, store: StoreOptions, organization: UUID, vault: Secrets, action: str) -> Added:
    if store.timezone and not await table.is_timezone(conn, store.timezone):
        raise Refusal(f"PostgreSQL knows no time zone {store.timezone!r}: say one like Europe/Amsterdam")
    if await erased_stores.one(conn, organization):
        raise Refusal(
            f"store {store.slug} was erased, and topics may still hold records under its id: take another short name, "
            "or name a new id with --organization"
        )
    before = await table.account(conn, organization)
    if before is None:
        await _ensure_organization(conn, organization, store.name or store.slug)
    row = wanted(store, organization, before, vault)
    outcome: Literal["added", "changed", "unchanged"] = "changed" if before else "added"
    trees_lost = store.key_lost and await destroy_lost_trees(conn, organization, vault)
    if before and row.columns == dict(before) and not trees_lost:
        outcome = "unchanged"
    else:
        await table.put(conn, row.columns)
        await note(conn, action, store=organization, thing=_changed(before, row.columns))
        await tend(conn, organization, vault, Clock().now())  # whoever seals has something to seal with at once
        if _concerns_everybody(before, row.columns):
            await due.mark_everyone(conn, organization)
    await account_details.mark_bots(conn, organization, store.bot_inboxes)
    made = (row.made_event_secret, row.made_vouching_secret)
    zone_changed = before is not None and before["timezone"] != row.columns["timezone"]
    return Added(store.slug, organization, outcome, row.columns["unsigned"], row.path_token, *made, zone_changed)
