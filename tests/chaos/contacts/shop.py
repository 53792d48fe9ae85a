"""A store whose customers are contacts of a front, and processes that send to it."""

import uuid
from collections.abc import Iterable
from pathlib import Path

from db.people import due
from db.pool import Pool, scoped
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.chaos.contacts.front import Front
from tests.chaos.processes import Worker
from tests.services.attached import ACCOUNT_ID, attach, authorize


class Shop:
    """Customers c1 to cN; what the shop says of one is the number of their orders."""

    def __init__(self, pool: Pool, front: Front, people: int) -> None:
        self.store, self.front, self.people = uuid.uuid4(), front, people
        self.wanted = dict.fromkeys(range(1, people + 1), 0)
        self._pool = pool

    async def open(self, admin: Pool, settings: Settings) -> None:
        await attach(admin, organization_id=self.store, push="live", chatwoot_base_url=self.front.base_url)
        await authorize(admin, self.store, load_secrets(settings))
        for number in self.wanted:
            self.front.customer(number)
        async with scoped(self._pool, {self.store}) as conn:
            await conn.execute(
                "insert into wootstream.customers (organization_id, customer_id) select $1, 'c' || n"
                " from generate_series(1, $2) n",
                *(self.store, self.people),
            )
            await conn.execute(
                "insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id,"
                " customer_id) select $1, $3, n, 'c' || n from generate_series(1, $2) n",
                *(self.store, self.people, ACCOUNT_ID),
            )

    async def orders(self, numbers: Iterable[int]) -> None:
        """Each of them has ordered once more, and is due at once."""
        numbers = list(numbers)
        for number in numbers:
            self.wanted[number] += 1
        async with scoped(self._pool, {self.store}) as conn:
            await conn.execute(
                "update wootstream.customers c set order_count = n.orders"
                " from unnest($2::text[], $3::int[]) as n (customer_id, orders)"
                " where c.organization_id = $1 and c.customer_id = n.customer_id",
                *(self.store, [f"c{number}" for number in numbers], [self.wanted[number] for number in numbers]),
            )
            await due.mark(conn, [(self.store, f"customer:c{number}") for number in numbers], quiet=due.QUIET * 0)

    async def all_know(self) -> bool:
        """Chatwoot shows what the shop said last, and nobody waits."""
        assert {number: self.front.held_by(number) for number in self.wanted} == self.wanted
        async with scoped(self._pool, {self.store}) as conn:
            return bool(await conn.fetchval("select count(*) = 0 from wootstream.due"))

    async def nobody_rests(self) -> None:
        """Whoever is backed off is looked at now."""
        async with scoped(self._pool, {self.store}) as conn:
            await conn.execute("update wootstream.due set not_before = now(), attempts = 0")


def sending(settings: Settings, log: Path, *, per_second: float) -> Worker:
    """A process that sends and does nothing else; each call of it bears its process id."""
    more = {"WOOTSTREAM_HTTP_PORT": "0", "WOOTSTREAM_CHATWOOT_CALLS_PER_SECOND": str(per_second)}
    return Worker(("tests.chaos.sending",), settings, log, more=more)


async def run_out(admin: Pool, front: Front) -> None:
    """The lease of who was killed, as ten seconds later."""
    async with admin.acquire() as conn:
        await conn.execute("update wootstream.senders set held_until = now() where base_url = $1", front.base_url)
