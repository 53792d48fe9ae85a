"""The client keeps its pace, leaves a full minute alone, and leaves an account that fails alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.kernel import Chatwoot, ChatwootAnswer, Clock, Retryable, Settings
from tests.answering import Answering

_SERVER = "https://chat.example"
Reply = Callable[[httpx.Request], httpx.Response]


class Hand(Clock):
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 30.0

    def now(self) -> datetime:
        return datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def _client(answer: Reply, clock: Clock) -> Chatwoot:
    settings = Settings(chatwoot_calls_per_second=40)
    return Chatwoot(settings, clock, CollectorRegistry(), Answering(answer))


async def _call(client: Chatwoot, account: int = 3) -> ChatwootAnswer:
    return await client.call(_SERVER, "PUT", f"/api/v1/accounts/{account}/contacts/1", token="t", body={})


async def test_calls_to_one_server_keep_the_pace() -> None:
    clock = Hand()
    client = _client(lambda request: httpx.Response(200, json={}), clock)
    for _ in range(41):
        await _call(client)
    assert clock.seconds == pytest.approx(31.0)
    await client.close()


async def test_a_4xx_is_an_answer() -> None:
    client = _client(lambda request: httpx.Response(422, json={}), Hand())
    assert (await _call(client)).status_code == 422
    await client.close()


async def test_a_429_leaves_the_whole_server_alone_until_the_next_minute_then_halves_the_pace() -> None:
    clock, answers = Hand(), iter([httpx.Response(429, text="Retry later")])
    client = _client(lambda request: next(answers, httpx.Response(200, json={})), clock)
    with pytest.raises(Retryable):
        await _call(client)
    await _call(client, account=4)
    assert 60 <= clock.seconds < 61.1
    begin = clock.seconds
    for _ in range(10):
        await _call(client)
    assert clock.seconds - begin == pytest.approx(0.5)
    await client.close()


async def test_an_account_that_fails_five_times_is_left_alone_while_others_are_served() -> None:
    clock, asked = Hand(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(500 if "/accounts/3/" in request.url.path else 200, json={})

    client = _client(answer, clock)
    for _ in range(20):
        with pytest.raises(Retryable):
            await _call(client, account=3)
    assert len(asked) == 5
    assert (await _call(client, account=4)).status_code == 200
    await client.close()


async def test_an_account_that_came_back_is_found_by_a_single_trial() -> None:
    clock, healthy = Hand(), list[bool]()
    client = _client(lambda request: httpx.Response(200 if healthy else 503, json={}), clock)
    for _ in range(5):
        with pytest.raises(Retryable):
            await _call(client)
    healthy.append(True)
    with pytest.raises(Retryable):
        await _call(client)
    clock.seconds += 6
    assert [(await _call(client)).status_code for _ in range(3)] == [200, 200, 200]
    await client.close()


async def test_a_server_that_cannot_be_reached_is_retryable() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client = _client(answer, Hand())
    with pytest.raises(Retryable, match="ConnectError"):
        await _call(client)
    await client.close()
