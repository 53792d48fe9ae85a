"""The recording as traffic of fresh stores, through the webhook door; each generation of stores hears all of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from uuid import UUID

import httpx
from pydantic import SecretStr

from local.replay.recording import Delivery, RecordedStore, deliveries, stores
from local.replay.webhook_sender import StoreDoor, WebhookSender
from schemas.stores import StoreOptions
from services.control.stores.attach import add
from services.kernel import Settings
from services.kernel.clock import Clock
from tests.chaos.consuming import digest
from tests.chaos.installation import Installation
from tests.recordings.recorded import DATA

# Chatwoot's send times decide between two states written in the same second: every generation hears the same ones.
_FIRST_SENT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
_RUN = DATA / "chatwoot-4.13.0"

Rows = dict[tuple[str, str], tuple[int, str]]  # (recorded store, table) → rows, digest of what they say

# Table → what may differ there, beside whose row it is: our own names and clock, how a row was reckoned, and when what
# it says was last heard again, for a repetition alone changes no row.
_TABLES = {
    "public.chatwoot_conversations": ("id", "created_at", "updated_at"),
    "public.chatwoot_contacts": ("id", "created_at", "updated_at"),
    "wootstream.conversations": ("updated_at", "walked", "seen_sent_at"),
    "wootstream.chatwoot_reporting_events": (),
    "wootstream.messages": (),
    "wootstream.changes": (),
    "wootstream.ratings": (),
}
_ROWS = """
select count(*), coalesce(md5(string_agg(said, '' order by said)), '') from (
  select (to_jsonb(t) - $2::text[])::text as said from {table} as t where organization_id = $1
) as s
"""


@dataclass(frozen=True)
class Generation:
    """The recorded stores under names of their own."""

    number: int
    doors: dict[str, StoreDoor]
    ids: dict[str, UUID]


class Sent(Clock):
    """The clock of a Chatwoot that sends one delivery at its own moment, whenever that is."""

    def __init__(self, position: int) -> None:
        self._moment = _FIRST_SENT + timedelta(seconds=position)

    def now(self) -> datetime:
        return self._moment


Part = tuple[Generation, int, Delivery]


class Recording:
    """One generation after the other, from the beginning again when all have had it. Ends only with a whole one."""

    def __init__(self, client: httpx.AsyncClient, generations: Sequence[Generation], heard: Sequence[Delivery]) -> None:
        self._client = client
        self._generations = generations
        self._heard = heard
        self.played: set[int] = set()

    def items(self, ending: Callable[[], bool]) -> Iterator[Part]:
        for generation in cycle(self._generations):
            for position, delivery in enumerate(self._heard):
                yield generation, position, delivery
            self.played.add(generation.number)
            if ending():
                return

    async def send(self, part: Part) -> str | None:
        """Offered again until it is answered 2xx, unlike Chatwoot, so that every generation hears the same."""
        generation, position, delivery = part
        status = await WebhookSender(self._client, generation.doors, Sent(position)).post(delivery)
        return digest(generation.ids[delivery.store], delivery.body) if 200 <= status < 300 else None


def heard(most: int | None) -> list[Delivery]:
    """The recorded webhooks, or so many of them from the beginning."""
    return deliveries(_RUN)[:most]


async def attach(settings: Settings, number: int) -> Generation:
    """Attach the recorded stores under fresh names."""
    doors, ids = {}, {}
    for store in stores(_RUN):
        added = await add(settings, _fresh(store, number))
        doors[store.name], ids[store.name] = StoreDoor(added.slug, store.secret), added.organization_id
    return Generation(number, doors, ids)


def _fresh(store: RecordedStore, number: int) -> StoreOptions:
    return StoreOptions(
        slug=f"{store.name}-{number}",
        base_url=f"http://{store.name}-{number}.invalid",
        account_id=store.account_id,
        release=store.release,
        website_token=f"{store.website_token}-{number}",
        api_access_token=SecretStr(store.api_access_token),
        webhook_secret=SecretStr(store.secret) if store.secret else None,
        bot_inboxes=store.bot_inboxes,
    )


async def rows(installation: Installation, generation: Generation) -> Rows:
    """Everything that the services keep of these stores."""
    found = {}
    async with installation.admin() as conn:
        for name, store in generation.ids.items():
            for table, ours in _TABLES.items():
                row = await conn.fetchrow(_ROWS.format(table=table), store, ["organization_id", *ours])
                found[name, table] = (row[0], row[1])
    return found
