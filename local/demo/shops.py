"""The demo's three stores: each is a recorded one under a name of its own, its account and contacts in the double."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from local.chatwoot.double import Double
from local.chatwoot.model.rows import Account
from local.chatwoot.recorded import add_recorded_settings
from local.chatwoot.seed import add_account, add_recorded_contacts, add_webhook
from local.replay import recording
from local.replay.recording import Delivery, RecordedStore
from local.replay.webhook_sender import StoreDoor
from schemas.stores import StoreOptions
from schemas.vouching import SECRET_PREFIX
from services.control.stores.attach import add
from services.kernel.settings import Settings

RECORDINGS = Path(__file__).parents[1] / "recordings"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is, and which recorded one lends it its traffic."""

    slug: str
    recorded_as: str
    timezone: str
    currency: str


PLACES = (
    Place("nl", "amsel-nord", "Europe/Amsterdam", "EUR"),
    Place("en", "meise-nord", "Europe/London", "GBP"),  # its inbox has a bot
    Place("de", "amsel-sued", "Europe/Berlin", "EUR"),
)


@dataclass(frozen=True, slots=True)
class DemoStore:
    """A store of the demo, attached: its recorded traffic, its door, and what its shop signs with."""

    place: Place
    recorded: RecordedStore
    deliveries: Sequence[Delivery]
    account: Account

    @property
    def door(self) -> StoreDoor:
        return StoreDoor(self.place.slug, self.recorded.secret)

    @property
    def origin(self) -> str:
        return f"https://{self.place.slug}.shop.example"

    @property
    def event_secret(self) -> str:
        """The same at each run: the installation keeps it sealed, and a demo's secret guards nothing."""
        return self._secret("demo")

    @property
    def vouching_secret(self) -> str:
        """Likewise."""
        return self._secret("demo vouching")

    def _secret(self, purpose: str) -> str:
        key = hashlib.sha256(f"{purpose} {self.place.slug}".encode()).digest()
        return SECRET_PREFIX + base64.b64encode(key).decode()


def open_accounts(double: Double) -> list[DemoStore]:
    """Each store's account in the double, with its recorded inboxes, bots, teams, and the contacts of its webhooks."""
    known = {store.name: store for store in recording.stores(RECORDINGS)}
    everything = recording.deliveries(RECORDINGS)
    stores = []
    for place in PLACES:
        recorded = known[place.recorded_as]
        mine = [one for one in everything if one.store == place.recorded_as]
        account = add_account(double, recorded.account_id, token=recorded.api_access_token, name=place.slug)
        add_recorded_contacts(double, account, (json.loads(one.body) for one in mine))
        for call in recording.calls(RECORDINGS, recorded.account_id):
            add_recorded_settings(double, account, call.method, call.path, call.request, call.answer)
        stores.append(DemoStore(place, recorded, mine, account))
    return stores


async def attach(settings: Settings, store: DemoStore, *, chatwoot: str) -> None:
    """Tell the installation of the store; again and again changes nothing but Chatwoot's address."""
    await add(
        settings,
        StoreOptions(
            slug=store.place.slug,
            base_url=chatwoot,
            account_id=store.recorded.account_id,
            release=store.recorded.release,
            website_token=store.recorded.website_token,
            api_access_token=SecretStr(store.recorded.api_access_token),
            webhook_secret=SecretStr(store.recorded.secret or ""),
            event_secret=SecretStr(store.event_secret),
            vouching_secret=SecretStr(store.vouching_secret),
            domains=(store.origin,),
            push="live",
            locale=store.place.slug,
            timezone=store.place.timezone,
            currency=store.place.currency,
            bot_inboxes=store.recorded.bot_inboxes,
        ),
    )


def hear(double: Double, store: DemoStore, ingress: str) -> None:
    """Let the double tell the ingress what it changes, as a Chatwoot does."""
    add_webhook(double, store.account, ingress + store.door.path, secret=store.recorded.secret)
