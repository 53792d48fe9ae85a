"""Who bears the token is answered at once; who guesses waits, the longer the more, and never many at a time."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from db.pool import SERVICE, Pool, open_pool
from services.kernel.actor import Actor, acting
from services.kernel.clock import Clock
from services.kernel.errors import Refusal, Stop
from services.kernel.settings import Settings
from services.kernel.web.callers import Callers

_TOKEN = "a-token-of-the-operator"


class Counting(Clock):
    """Sleeps end at once, or never while it is held."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.held = False

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.held:
            await asyncio.Event().wait()


def request(token: str, address: str = "192.0.2.1") -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "client": (address, 1)})


async def who(_request: Request) -> Response:
    return PlainTextResponse(f"{acting().name} from {acting().source}")


def no_pool() -> Pool:
    """Whose token has not the form of a person's is not looked up."""
    return open_pool("postgresql://nowhere.invalid/none", SERVICE)


def callers(clock: Clock, **settings: Any) -> tuple[Callers, CollectorRegistry]:
    registry = CollectorRegistry()
    return Callers(Settings.model_validate({"api_token": _TOKEN} | settings), clock, registry, no_pool), registry


async def test_who_bears_the_token_acts_as_the_operator_and_never_waits() -> None:
    clock = Counting()
    guarded = callers(clock)[0].guarded(who)
    await guarded(request("wrong"))
    clock.slept.clear()

    answer = await guarded(request(_TOKEN))

    assert (answer.body, clock.slept) == (b"operator from 192.0.2.1", [])
    assert acting() != Actor("operator", "192.0.2.1")


@pytest.mark.parametrize("token", ["", "wrong", _TOKEN[:-1], f"{_TOKEN} ", "é"])
async def test_whoever_has_no_token_is_turned_away_and_counted(token: str) -> None:
    given, registry = callers(Counting())
    assert (await given.guarded(who)(request(token))).status_code == 401
    assert registry.get_sample_value("wootstream_logins_failed_total") == 1


async def test_without_a_token_of_the_installation_nobody_is_let_in() -> None:
    given, _ = callers(Counting(), api_token=None)
    assert (await given.guarded(who)(request(""))).status_code == 401


async def test_guesses_of_one_network_wait_longer_and_those_of_another_begin_anew() -> None:
    clock = Counting()
    guarded = callers(clock)[0].guarded(who)

    for number in range(7):
        await guarded(request("wrong", f"2001:db8::{number}"))  # one /64
    await guarded(request("wrong", "192.0.2.2"))

    assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 0.1]


async def test_few_wait_at_once_and_the_rest_are_told_so_at_once() -> None:
    clock = Counting()
    clock.held = True
    guarded = callers(clock)[0].guarded(who)
    waiting = [asyncio.ensure_future(guarded(request("wrong"))) for _ in range(50)]
    await asyncio.sleep(0)

    answer = await guarded(request("wrong"))

    assert (answer.status_code, answer.headers["retry-after"], len(clock.slept)) == (429, "5", 50)
    assert (await guarded(request(_TOKEN))).status_code == 200
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("raised", "status"), [(Refusal("no such store"), 400), (Stop("no database"), 503), (OSError(), 503)]
)
async def test_what_cannot_be_done_is_one_sentence(raised: Exception, status: int) -> None:
    async def refuses(_request: Request) -> Response:
        raise raised

    answer = await callers(Counting())[0].guarded(refuses)(request(_TOKEN))

    assert answer.status_code == status
    assert b"error" in answer.body
