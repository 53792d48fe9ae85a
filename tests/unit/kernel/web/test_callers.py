"""Who bears the token is answered at once; who guesses waits, the longer the more, and never many at a time."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from db.pool import SERVICE, Pool, open_pool
from services.kernel.actor import Actor, acting
from services.kernel.clock import Clock
from services.kernel.errors import Refusal, Stop
from services.kernel.person_tokens import Person
from services.kernel.settings import Settings
from services.kernel.web import callers as module
from services.kernel.web import peoples_turns
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


async def nowhere(_person: uuid.UUID) -> frozenset[uuid.UUID]:
    return frozenset()


def callers(clock: Clock, **settings: Any) -> tuple[Callers, CollectorRegistry]:
    registry = CollectorRegistry()
    given = Settings.model_validate({"api_token": _TOKEN} | settings)
    return Callers(given, clock, registry, no_pool, nowhere), registry


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


_ANNA, _BEN, _CAI, _DEE = (uuid.UUID(int=number) for number in range(1, 5))


class Reports:
    """Those that people ask for, each for as long as nobody lets it end."""

    def __init__(self) -> None:
        self.under_way: Counter[uuid.UUID | None] = Counter()
        self.most: Counter[uuid.UUID | None] = Counter()
        self.most_at_once = 0
        self.end = asyncio.Event()

    async def report(self, _request: Request) -> Response:
        who_asks = acting().person
        self.under_way[who_asks] += 1
        self.most |= self.under_way
        self.most_at_once = max(self.most_at_once, self.under_way.total() - self.under_way[None])
        await self.end.wait()
        self.under_way[who_asks] -= 1
        return PlainTextResponse("figures")


class NoRows:
    """A pool of which every statement does nothing; `noted` are the things that were written down."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    @asynccontextmanager
    async def acquire(self, **_: Any) -> AsyncIterator["NoRows"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield


async def _stores_of(person: uuid.UUID) -> frozenset[uuid.UUID]:
    return frozenset({min(person, uuid.UUID(int=10))})


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> tuple[Reports, Any, NoRows]:
    """Whoever bears a person's number as token is that person; from ten on all are of one store."""
    rows = NoRows()

    async def authenticate(_pool: Any, token: str) -> Person | None:
        return Person(uuid.UUID(int=int(token)), uuid.UUID(int=9), frozenset({"read"})) if token.isdigit() else None

    async def note(_conn: Any, _action: str, *, store: None, thing: str) -> None:
        rows.noted.append(thing)

    monkeypatch.setattr(module, "authenticate", authenticate)
    monkeypatch.setattr(module, "note", note)
    reports = Reports()
    settings = Settings.model_validate({"api_token": _TOKEN})
    given = Callers(settings, Clock(), CollectorRegistry(), lambda: rows, _stores_of)  # type: ignore[arg-type,return-value]
    return reports, given.guarded(reports.report, people="read"), rows


async def test_people_who_ask_for_everything_at_once_leave_connections_to_all_others(
    people: tuple[Reports, Any, NoRows],
) -> None:
    """The process that answers reports keeps every store's webhooks, with the same eight connections."""
    reports, guarded, _ = people
    asked = [asyncio.ensure_future(guarded(request("1"))) for _ in range(50)]
    asked += [asyncio.ensure_future(guarded(request(str(one.int)))) for one in (_BEN, _CAI, _DEE)]
    asked.append(asyncio.ensure_future(guarded(request(_TOKEN))))
    for _ in range(20):
        await asyncio.sleep(0)
    assert reports.under_way == {_ANNA: 1, _BEN: 1, _CAI: 1, None: 1}
    reports.end.set()
    answers = [await one for one in asked]
    assert {one.status_code for one in answers} == {200}
    assert (reports.most_at_once, reports.most[_ANNA], reports.most[_DEE]) == (3, 1, 1)


async def test_people_of_one_store_however_many_keep_none_of_another_waiting(
    people: tuple[Reports, Any, NoRows],
) -> None:
    reports, guarded, _ = people
    many = [asyncio.ensure_future(guarded(request(str(number)))) for number in range(10, 30)]
    for _ in range(20):
        await asyncio.sleep(0)
    one = asyncio.ensure_future(guarded(request("1")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert reports.under_way[_ANNA] == 1
    assert reports.under_way.total() == 3  # and no more at once than ever
    reports.end.set()
    assert {(await answered).status_code for answered in [*many, one]} == {200}


async def test_whose_turn_does_not_come_and_who_asks_too_often_is_told_so(
    people: tuple[Reports, Any, NoRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports, guarded, rows = people
    monkeypatch.setattr(peoples_turns, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(peoples_turns, "MOST_A_MINUTE", 5)
    first = asyncio.ensure_future(guarded(request("1")))
    while not reports.under_way[_ANNA]:
        await asyncio.sleep(0)
    answers = [await guarded(request("1")) for _ in range(6)]
    assert [one.status_code for one in answers] == [503] * 4 + [429] * 2
    assert {one.headers["retry-after"] for one in answers} == {"10", "60"}
    reports.end.set()
    assert ((await first).status_code, (await guarded(request("2"))).status_code) == (200, 200)
    assert len(rows.noted) == 2  # what was not answered fills no log


async def test_what_is_written_down_is_the_path_whatever_the_host_is_called(
    people: tuple[Reports, Any, NoRows],
) -> None:
    reports, guarded, rows = people
    reports.end.set()
    asked = request("1")
    asked.scope["headers"].append((b"host", b"["))
    asked.scope["path"] = "/api/stores/nl?/reports"
    assert (await guarded(asked)).status_code == 200
    assert rows.noted == ["/api/stores/nl?/reports"]
