"""What figures need to know of a store: its account, its release, and which inboxes have a bot."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from db.pool import Connection, Row
from db.reporting import account_details
from services.conversations.events import ConversationFacts
from services.conversations.figures.rules import Dated, Rules, Ruling


@dataclass(frozen=True, slots=True)
class InboxRules:
    """What an inbox is called, and whether a bot answers first there."""

    name: str | None
    has_bot: bool


@dataclass(frozen=True, slots=True)
class StoreRules:
    """A store's account, as far as figures depend on it."""

    account_id: int
    releases: tuple[tuple[datetime, str], ...]
    inboxes: dict[int, InboxRules] = field(default_factory=dict)

    def rules(self, inbox_id: int) -> Ruling:
        """The reporting rules for conversations of an inbox; of an unknown one no bot is known."""
        inbox = self.inboxes.get(inbox_id)
        has_bot = inbox is not None and inbox.has_bot
        if len(self.releases) == 1:
            return Rules.of(self.releases[0][1], has_bot=has_bot)
        return Dated.of(self.releases, has_bot=has_bot)


async def known_stores(conn: Connection, events: Sequence[ConversationFacts]) -> dict[UUID, StoreRules]:
    """The stores in scope. What these webhooks call their inboxes is remembered: conversations do not say it."""
    stores: dict[UUID, StoreRules] = {}
    for row in await account_details.stores(conn):
        store = stores.setdefault(row["organization_id"], StoreRules(row["chatwoot_account_id"], _releases(row)))
        if row["inbox_id"] is not None:
            store.inboxes[row["inbox_id"]] = InboxRules(row["name"], row["has_bot"])
    renamed: dict[tuple[UUID, int], str] = {}
    for event in events:
        organization, inbox_id = event.key[0], event.facts.snapshot.state.inbox_id
        known = stores[organization].inboxes.get(inbox_id)
        if event.inbox_name and (known is None or known.name != event.inbox_name):
            renamed[organization, inbox_id] = event.inbox_name
            stores[organization].inboxes[inbox_id] = InboxRules(event.inbox_name, known is not None and known.has_bot)
    # In this transaction: figures that name an inbox and its name become visible together.
    await account_details.name_inboxes(conn, [(*key, name) for key, name in renamed.items()])
    return stores


def _releases(row: Row) -> tuple[tuple[datetime, str], ...]:
    """As the API told, else as the operator named it."""
    releases = row["releases"] or [(_EVER, row["release"])]
    return tuple((datetime.fromisoformat(since), release) for since, release in releases)


_EVER = datetime.fromtimestamp(0, UTC).isoformat()
