"""The doors do what their OpenAPI says, whatever is sent: for who signs rightly, and for strangers.

Schemathesis is imported where it is used: a second of every worker's start, and one of them needs it.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from db.pool import Pool
from local.demo.shop import Shop as Backend
from local.demo.visitors import PageVisitor
from services.kernel import Clock, Settings
from tests.services.ingress.bench import ORIGIN, open_shop
from tests.services.ingress.doors.test_identity import open_known_shop
from tests.services.ingress.running import running

if TYPE_CHECKING:
    from tests.services.ingress.described import Sender

pytestmark = [pytest.mark.usefixtures("topics"), pytest.mark.fuzz]
_EXAMPLES = 5  # of each operation, beside those that try each rule of the document
_OF_A_ROUND = 50  # at the most: what was near the server's clock when it began is so for some minutes only
_MOST = 200
_PATH_TOKEN = "the-end-of-a-secret-url"
_MUCH = "1000000000"


@asynccontextmanager
async def sending(settings: Settings, admin: Pool, folder: Path) -> AsyncIterator[tuple[str, "Sender"]]:
    """Where the ingress is, and one who has all that the senders of its stores have."""
    from tests.services.ingress.described import Sender

    shop = await open_known_shop(admin, settings)
    hashed = hashlib.sha256(_PATH_TOKEN.encode()).digest()
    unsigned = await open_shop(admin, settings, unsigned=True, webhook_secret=None, path_token_sha256=hashed)
    counted = (
        "BEACONS_PER_MINUTE",
        "BEACONS_PER_MINUTE_NETWORK",
        "BEACONS_PER_MINUTE_STORE",
        "CONFIGS_PER_MINUTE_NETWORK",
    )
    quotas = {f"WOOTSTREAM_{name}": _MUCH for name in counted}
    async with running(settings, folder, **quotas) as ours, httpx.AsyncClient(base_url=ours.address) as client:
        backend = Backend(client, shop.slug, shop.event_secret)
        vouched = backend.vouch("c1", expires=datetime.now(UTC) + timedelta(hours=1))
        visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
        await visitor.arrive(vouched)
        yield ours.address, Sender(shop, unsigned.slug, _PATH_TOKEN, ORIGIN, visitor.config["token"], vouched)


def stranger(sender: "Sender") -> "Sender":
    """One who knows every name, and no secret."""
    shop = dataclasses.replace(
        sender.shop, secret="guessed", event_secret="whsec_Z3Vlc3NlZA==", shopify_secret="guessed"
    )
    token = f"{sender.beacon_token[:-8]}AAAAAAAA"
    return dataclasses.replace(
        sender, shop=shop, path_token="g" * 20, beacon_token=token, origin="https://elsewhere.example"
    )


async def test_what_fits_the_openapi_is_taken_from_who_signs_it_and_nothing_else_is(
    settings: Settings, admin_pool: Pool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from schemathesis.checks import CHECKS, load_all_checks

    from tests.services.ingress.tried import tried

    wanted = min(request.config.getoption("--examples") or 0, _MOST)
    examples, rounds = min(wanted or _EXAMPLES, _OF_A_ROUND), max(1, wanted // _OF_A_ROUND)
    load_all_checks()

    async with sending(settings, admin_pool, tmp_path) as (at, sender):
        for seed in range(rounds):
            for who, taken in ((sender, True), (stranger(sender), False)):
                done = await asyncio.to_thread(
                    tried, at, who, taken=taken, seed=seed, examples=examples, whole=bool(wanted)
                )
                print(f"seed {seed}, {'taken' if taken else 'refused'}: {dict(sorted(done.answers.items()))}")
                assert not done.found, "\n\n".join(f"{' '.join(where)}: {why}" for where, why in done.found.items())
                assert done.checks.keys() == set(CHECKS.get_all_names())
