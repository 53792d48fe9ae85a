"""Repeated work: whatever it raises, it waits and is tried again; /ready, a gauge and one log tell of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import structlog
from aiokafka.errors import KafkaConnectionError

from db.pool import TooMuchPower
from services.kernel import Process, Retryable, Settings, Stop
from services.kernel.every import each, every
from tests.unit.kernel.test_chatwoot import Hand

_FORBIDDEN = asyncpg.InsufficientPrivilegeError("permission denied for table due")
_OF_DATA = [
    OverflowError("date value out of range"),
    TypeError("naive and aware"),
    ExceptionGroup("of a task group", [KeyError("x")]),
    asyncpg.DataError("invalid input for query argument $4"),
    asyncpg.UntranslatableCharacterError("unsupported Unicode escape sequence"),
    _FORBIDDEN,
]


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(Settings(data_directory=tmp_path), Hand())
    yield process
    await process.chatwoot.close()


class Loop:
    """Work that raises what it is given, one after the other, then works once and asks for the stop."""

    def __init__(self, process: Process, errors: Iterator[Exception]) -> None:
        self.process = process
        self.errors = errors
        self.answers: list[str | None] = []  # by /ready before each try
        self.tried_at: list[float] = []
        every(process, self._work, name="work", seconds=0)

    async def run(self) -> None:
        [turn] = [work for name, work in self.process._work if name == "work"]
        await asyncio.wait_for(turn(), 60)

    async def _work(self) -> bool:
        self.tried_at.append(self.process.clock.monotonic())
        self.answers.append(self.ready())
        for error in self.errors:
            raise error
        self.process.stopping.set()
        return False

    def ready(self) -> str | None:
        return next(iter(self.process.site.unready()), None)

    def failing(self) -> float | None:
        return self.process.registry.get_sample_value("wootstream_work_failing", {"work": "work"})


@pytest.mark.parametrize("error", _OF_DATA, ids=lambda error: type(error).__name__)
async def test_work_that_fails_waits_more_and_more_and_goes_on_by_itself(process: Process, error: Exception) -> None:
    loop = Loop(process, iter([error] * 8))
    with structlog.testing.capture_logs() as logs:
        await loop.run()
    pauses = [round(later - earlier) for earlier, later in zip(loop.tried_at, loop.tried_at[1:], strict=False)]
    assert pauses == [2, 5, 10, 20, 40, 60, 60, 60]
    assert (loop.ready(), loop.failing(), process.failure) == (None, 0, None)
    logged = [one for one in logs if one["event"] == "work_fails"]
    assert [one["exc_info"] for one in logged] == [error]  # with its traceback once, not eight times


async def test_ready_speaks_after_three_failures_in_a_row(process: Process) -> None:
    loop = Loop(process, iter([TypeError(), TypeError(), TypeError()]))
    await loop.run()
    assert loop.answers[:3] == [None] * 3
    assert loop.answers[3] is not None
    assert "work does not go on: TypeError; deploy a release that mends it" in loop.answers[3]


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), asyncpg.CannotConnectNowError(), KafkaConnectionError()]
)
async def test_what_is_away_is_not_taken_for_a_fault_of_the_release(process: Process, error: Exception) -> None:
    """Of work that speaks of its first failure; told to deploy another release, nobody looks at the server."""
    trouble = process.trouble("being told", patience=1)
    trouble.failed(error)
    sentence = trouble.fault() or ""
    assert "see that PostgreSQL and Kafka run" in sentence
    assert "release" not in sentence


async def test_a_missing_grant_is_said_at_once_with_its_cure(process: Process) -> None:
    loop = Loop(process, iter([_FORBIDDEN]))
    await loop.run()
    sentence = loop.answers[1] or ""
    assert "permission denied for table due" in sentence
    assert "run `wootstream migrate`" in sentence


async def test_what_is_not_ready_is_waited_for_without_a_word_on_ready(process: Process) -> None:
    loop = Loop(process, iter([Retryable("not yet"), ConnectionRefusedError(), MemoryError(), TimeoutError()]))
    await loop.run()
    assert (loop.answers, loop.failing()) == ([None] * 5, 0)


@pytest.mark.parametrize("error", [Stop("no database"), TooMuchPower("bypasses row security")])
async def test_a_fault_of_the_deployment_ends_the_work_only_before_it_has_ever_worked(
    process: Process, error: Exception
) -> None:
    with pytest.raises(type(error)):
        await Loop(process, iter([error])).run()


async def test_a_loop_of_its_own_is_begun_again_when_it_fails(process: Process) -> None:
    errors: Iterator[Exception] = iter([OverflowError(), KeyError()])

    async def drain() -> None:
        for error in errors:
            raise error

    await process._guard("drain", drain)
    assert (list(errors), process.failure) == ([], None)


_STORES = [UUID(int=number) for number in range(1, 5)]
_OF_A_STORE = [
    *_OF_DATA[:-1], Retryable("its Chatwoot is away"), asyncpg.LockNotAvailableError(), asyncpg.QueryCanceledError(),
    asyncpg.DeadlockDetectedError(),
]  # fmt: skip


async def _each(errors: dict[UUID, Exception]) -> list[UUID]:
    """Those that had their turn."""
    had: list[UUID] = []

    async def work(store: UUID) -> None:
        had.append(store)
        if store in errors:
            raise errors[store]

    try:
        await each(_STORES, work)
    except Exception as error:
        raised = error.exceptions if isinstance(error, ExceptionGroup) and len(errors) > 1 else (error,)
        assert [*raised] == [*errors.values()][: len(raised)]
    else:
        assert not errors
    return had


@pytest.mark.parametrize("error", _OF_A_STORE, ids=repr)
async def test_what_fails_for_one_store_is_raised_once_the_others_had_their_turn(error: Exception) -> None:
    assert await _each({_STORES[0]: error}) == _STORES
    assert await _each({_STORES[1]: error, _STORES[3]: KeyError("another")}) == _STORES


@pytest.mark.parametrize(
    "error", [_FORBIDDEN, asyncpg.ConnectionDoesNotExistError(), TimeoutError(), ConnectionResetError(), Stop("x")],
    ids=repr,
)  # fmt: skip
async def test_what_no_store_can_be_to_blame_for_is_raised_at_once(error: Exception) -> None:
    assert await _each({_STORES[0]: error}) == _STORES[:1]


async def test_where_nothing_fails_nothing_is_raised() -> None:
    assert await _each({}) == _STORES
