"""kill -9 in the middle of sending: every person ends as they should be, and nobody is told much more than once."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.people import due
from db.pool import Pool, scoped
from local.chatwoot.app import listening
from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.chaos.processes import environment
from tests.eventually import eventually
from tests.programs.forked import Program, start
from tests.services.attached import ACCOUNT_ID, attach, authorize
from tests.services.contacts.api import ContactsDouble

_MANY = 10  # deaths, in a long round
_PEOPLE = 200
_IN_FLIGHT = 8
_HOST = "127.0.0.1"


@asynccontextmanager
async def serving(api: ContactsDouble) -> AsyncIterator[str]:
    """The contacts API on a port of its own; answers after 20 ms, so that deaths find calls in flight."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = httpx.Request(
            request.method, str(request.url), headers=request.headers.raw, content=await request.body()
        )
        answered = await api.answer(asked)
        await asyncio.sleep(0.02)
        kind = {"content-type": "application/json"}
        await Response(await answered.aread(), answered.status_code, kind)(scope, receive, send)

    async with listening(answer) as base_url:
        yield base_url


async def _seed(pool: Pool, store: uuid.UUID) -> None:
    async with scoped(pool, {store}) as conn:
        await conn.execute(
            "insert into wootstream.customers (organization_id, customer_id, order_count)"
            " select $1, 'c' || n, n from generate_series(1, $2) n",
            *(store, _PEOPLE),
        )
        await conn.execute(
            "insert into public.chatwoot_contacts"
            " (organization_id, chatwoot_account_id, chatwoot_contact_id, customer_id)"
            " select $1, $3, n, 'c' || n from generate_series(1, $2) n",
            *(store, _PEOPLE, ACCOUNT_ID),
        )
        await due.mark(conn, [(store, f"customer:c{number}") for number in range(1, _PEOPLE + 1)])


async def _start(settings: Settings) -> Program:
    told = environment(settings, WOOTSTREAM_CHATWOOT_CALLS_PER_SECOND="80")
    return await start("tests.chaos.sending", env=told, log=settings.data_directory / "killed-sender.log")


@pytest.mark.usefixtures("topics")
async def test_a_sender_killed_again_and_again_tells_everybody(
    settings: Settings, pool: Pool, admin_pool: Pool, kills: int
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    if kills < _MANY:  # whoever was killed holds its lease for ten seconds yet: a few show the same as five
        kills = min(kills, 2)
    chance, api = random.Random(seed), ContactsDouble()
    for number in range(1, _PEOPLE + 1):
        api.add(_HOST, number, identifier=f"c{number}")
    async with serving(api) as base_url:
        store = await attach(admin_pool, push="live", chatwoot_base_url=base_url)
        await authorize(admin_pool, store, load_secrets(settings))
        await _seed(pool, store)
        for _ in range(kills):
            process, before = await _start(settings), len(api.calls)
            enough = chance.randrange(1, max(2, _PEOPLE // kills))
            await eventually(lambda: len(api.calls) >= min(before + enough, _PEOPLE))  # noqa: B023
            process.kill()
            await process.wait()
        process = await _start(settings)

        async def nobody_is_due() -> bool:
            async with scoped(pool, {store}) as conn:
                return bool(await conn.fetchval("select count(*) = 0 from wootstream.due"))

        await eventually(nobody_is_due)
        process.terminate()
        assert await process.wait() == 0
    held = [api.attributes(_HOST, number).get("order_count") for number in range(1, _PEOPLE + 1)]
    assert held == list(range(1, _PEOPLE + 1))
    assert _PEOPLE <= len(api.calls) <= _PEOPLE + kills * _IN_FLIGHT
    print("people", _PEOPLE, "kills", kills, "calls", len(api.calls))
