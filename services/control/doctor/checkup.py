"""Every check at once, each with a bounded wait of its own: what hangs or fails is a finding like any other."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from db.pool import SERVICE, Pool, open_pool
from schemas import topics
from schemas.attributes import PUSHED
from schemas.chatwoot.webhooks import CONTACT_EVENTS, CONVERSATION_EVENTS
from services.control.doctor import accounts, database, kafka_state, machine, store_rows
from services.control.doctor.finding import Finding, fault, warning, well
from services.control.doctor.judging import installation, stores
from services.control.doctor.seen import MachineSeen, ServerSeen, StoreRow
from services.kernel.chatwoot.chatwoot_client import Chatwoot
from services.kernel.cli.environment import stores_named
from services.kernel.clock import Clock
from services.kernel.closing import closed_within
from services.kernel.errors import Retryable, Stop, Verdict, cure, describe, verdict
from services.kernel.secrets import load_secrets
from services.kernel.settings import Settings

_WAIT_SECONDS = 20.0
_AT_ONCE = 16
_CLOSING_SECONDS = 2.0
# Of the pace towards a Chatwoot: our own sender works meanwhile, and Chatwoot counts both as one address.
_SHARE = 4
_CALLS_EACH = 3
_NAMED = 5  # of the stores that were not looked at
_START = "or start the local stack with: wootstream local start"


async def check(settings: Settings, *, wait: float = _WAIT_SECONDS, within: float = math.inf) -> list[Finding]:
    """Look at everything and change nothing; the gravest first. Hundreds of stores take minutes: no store is looked at
    any more once `within` seconds are over."""
    clock, pace = Clock(), settings.chatwoot_calls_per_second / _SHARE
    chatwoot = Chatwoot(settings.model_copy(update={"chatwoot_calls_per_second": pace}), clock, CollectorRegistry())
    pool = open_pool(settings.database_url.get_secret_value(), SERVICE, size=3) if settings.database_url else None
    try:
        return await Checkup(settings, clock, chatwoot, pool, wait, clock.monotonic() + within).findings()
    finally:
        await chatwoot.close()
        if pool and not await closed_within(_CLOSING_SECONDS, "pool", pool.close()):
            pool.terminate()


@dataclass(frozen=True, slots=True)
class Checkup:
    """One look at an installation."""

    settings: Settings
    clock: Clock
    chatwoot: Chatwoot
    pool: Pool | None
    wait: float
    until: float  # of the clock: when its findings are wanted

    async def findings(self) -> list[Finding]:
        seen: MachineSeen | None = None

        async def this_machine() -> Iterable[Finding]:
            nonlocal seen
            seen = await machine.look(self.settings)
            return installation.machine(seen)

        parts = await asyncio.gather(
            self._bounded("machine", this_machine()),
            self._bounded("Kafka", self._kafka()),
            self._bounded("PostgreSQL", self._database()),
        )
        found = [finding for part in parts for finding in part]
        found += await self._stores(seen.public_addresses if seen else ())
        return sorted(found, key=lambda one: -one.severity)

    async def _bounded(self, about: str, look: Awaitable[Iterable[Finding]], store: str | None = None) -> list[Finding]:
        try:
            async with asyncio.timeout(self.wait):
                return list(await look)
        except TimeoutError:
            return [
                fault(about, f"no answer within {self.wait:g} s", "see that it runs, and what it does", store=store)
            ]
        except Exception as error:
            return [fault(about, describe(error), _cure(error), store=store)]

    async def _kafka(self) -> Iterable[Finding]:
        if not self.settings.kafka_bootstrap_servers:
            return [fault("Kafka", "no address is known", f"set KAFKA_BOOTSTRAP_SERVERS, {_START}")]
        return installation.kafka(await kafka_state.look(self.settings, topics.ALL, self.clock), topics.ALL)

    async def _database(self) -> Iterable[Finding]:
        if self.pool is None:
            return [fault("PostgreSQL", "no address is known", f"set DATABASE_URL, {_START}")]
        return installation.database(await database.look(self.settings, self.pool, self.clock), self.clock.now())

    async def _stores(self, public_addresses: Sequence[str]) -> list[Finding]:
        rows: Sequence[StoreRow] = ()

        async def own_rows() -> Iterable[Finding]:
            nonlocal rows
            if self.pool is None:
                return []
            if not machine.has_key(self.settings):  # to load one would make it
                return stores.without_key(len(await stores_named(self.pool, None)))
            rows = await store_rows.look(self.pool, load_secrets(self.settings))
            return [well("stores", f"{len(rows)} are active")]

        found = await self._bounded("stores", own_rows())
        servers = await self._servers(rows)
        found += [
            finding
            for one in servers
            for finding in stores.server(
                one,
                calls_per_second=self.settings.chatwoot_calls_per_second,
                private=stores.is_private(public_addresses),
            )
        ]
        answering = {one.base_url for one in servers if one.fault is None}
        return found + await self._accounts([row for row in rows if row.base_url in answering])

    async def _servers(self, rows: Sequence[StoreRow]) -> Sequence[ServerSeen]:
        """One call to each server first: a dead one is one finding, not one of each of its stores."""
        looks = (
            accounts.look_at_server(self.chatwoot, self.clock, url, count)
            for url, count in Counter(row.base_url for row in rows).items()
        )
        return await asyncio.gather(*looks)

    async def _accounts(self, rows: Sequence[StoreRow]) -> list[Finding]:
        room, found, left = asyncio.Semaphore(_AT_ONCE), list[Finding](), {row.slug for row in rows}

        async def one(row: StoreRow) -> None:
            async with room:
                found.extend(await self._bounded("Chatwoot account", self._account(row), row.slug))
            left.discard(row.slug)

        gap = _SHARE / self.settings.chatwoot_calls_per_second
        left_seconds = max(0.0, self.until - self.clock.monotonic())
        most = min(left_seconds, self.wait + 2 * len(rows) * _CALLS_EACH * gap)
        try:
            async with asyncio.timeout(most):
                await asyncio.gather(*(one(row) for row in rows))
        except TimeoutError:
            found.append(
                warning("stores", f"{len(left)} were not looked at within {most:.0f} s: {_some(sorted(left))}",
                        "ask at the command line, which waits longer: `wootstream doctor`" if most == left_seconds
                        else "see the other findings, and ask again")
            )  # fmt: skip
        return found

    async def _account(self, row: StoreRow) -> Iterable[Finding]:
        return stores.store(
            row,
            await accounts.look_at_account(self.chatwoot, row),
            public_url=self.settings.public_url,
            events=CONVERSATION_EVENTS | CONTACT_EVENTS,
            attributes=PUSHED,
        )


def _some(slugs: Sequence[str]) -> str:
    more = f" and {len(slugs) - _NAMED} more" if len(slugs) > _NAMED else ""
    return f"{', '.join(slugs[:_NAMED])}{more}"


def _cure(error: Exception) -> str:
    """Of what keeps the doctor from looking."""
    if isinstance(error, Retryable):
        return "see that it runs and can be reached from here"
    if isinstance(error, Stop):
        return "mend the settings: `wootstream settings` shows where each comes from"
    return cure(error) if verdict(error) is Verdict.STOP else "see that it runs, and how it is reached"
