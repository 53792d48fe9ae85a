"""`replay`: recorded stores attached, their recorded webhooks posted through the HTTP door as Chatwoot would."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from local.replay import recording
from local.replay.pace import AT_ONCE, at_rate
from local.replay.recording import Delivery, RecordedStore
from local.replay.webhook_sender import StoreDoor, WebhookSender
from schemas.stores import StoreOptions, reachable
from services.control.stores.attach import add
from services.kernel.clock import Clock
from services.kernel.errors import Refusal
from services.kernel.settings import Settings

# Nobody ever calls it: a recorded Chatwoot is gone, and a replayed store stays in shadow.
_RECORDED_CHATWOOT = "http://recorded-{name}.invalid"

Moved = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: shuffled or in recorded order, a share of it twice, so many a second (None: as fast as it goes)."""

    seed: int
    shuffle: bool = False
    repeat: float = 0.0
    per_second: float | None = None

    def arranged(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        chance = random.Random(self.seed)
        chosen = list(_with_repeats(deliveries, self.repeat, chance))
        if self.shuffle:
            chance.shuffle(chosen)
        return chosen


def _with_repeats(deliveries: Sequence[Delivery], share: float, chance: random.Random) -> Iterator[Delivery]:
    for one in deliveries:
        yield one
        # Right behind the first one, where a repetition is hardest: within the same batch.
        if chance.random() < share:
            yield one


async def attach(settings: Settings, folder: Path) -> dict[str, StoreDoor]:
    """Attach the folder's stores, each under its recorded name; answers where their webhooks go. Raises Refusal."""
    return {store.name: await _attach(settings, store) for store in recording.stores(folder)}


async def _attach(settings: Settings, store: RecordedStore) -> StoreDoor:
    # The same at each replay, so that a running ingress need not learn a new one. It guards recorded test data only.
    token = None if store.secret else hashlib.sha256(f"replay {store.api_access_token}".encode()).hexdigest()
    await add(
        settings,
        StoreOptions(
            slug=store.name,
            base_url=_RECORDED_CHATWOOT.format(name=store.name),
            account_id=store.account_id,
            release=store.release,
            website_token=store.website_token,
            api_access_token=SecretStr(store.api_access_token),
            webhook_secret=SecretStr(store.secret) if store.secret else None,
            unsigned=store.secret is None,
            path_token=SecretStr(token) if token else None,
            bot_inboxes=store.bot_inboxes,
        ),
    )
    return StoreDoor(store.name, store.secret, token)


async def post(
    url: str, doors: dict[str, StoreDoor], chosen: Sequence[Delivery], plan: Plan, moved: Moved
) -> Counter[int]:
    """Send them; answers how often which status came, 0 for none. Raises Refusal when no ingress answers there."""
    try:
        reachable(url)
    except ValueError as cause:
        raise Refusal(f"{url} {cause}: name the ingress with --url http://127.0.0.1:8080") from cause
    answers = Counter[int]()
    async with AsyncExitStack() as clients:
        free = [await clients.enter_async_context(one) for one in _clients(url)]
        await _look(free[0], url)
        clock = Clock()

        async def send(delivery: Delivery) -> None:
            client = free.pop()
            await WebhookSender(client, doors, clock, answers).send(delivery)
            free.append(client)
            moved()

        await at_rate(chosen, send, per_second=plan.per_second)
    return answers


def _clients(url: str) -> list[httpx.AsyncClient]:
    """One for each delivery under way: of several connections, httpcore asks the system about all at each request."""
    authorities = httpx.create_ssl_context()
    return [httpx.AsyncClient(base_url=url, timeout=10, verify=authorities) for _ in range(AT_ONCE)]


async def _look(client: httpx.AsyncClient, url: str) -> None:
    try:
        await client.get("/live")
    except httpx.TransportError as absent:
        raise Refusal(f"no ingress answers at {url}: start it with `wootstream run`, or name it with --url") from absent
