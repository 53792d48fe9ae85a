"""Names that are not known: looked up together, after they were asked for, at most once a second, and few at a time."""

import asyncio
from collections.abc import Collection
from math import inf

import pytest

from services.ingress.doors.refusals import Reason, Refused
from services.ingress.stores.lookup import Lookup
from services.kernel import Clock


class Leaps(Clock):
    """A clock whose sleep moves time."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


class Register:
    """Stands for PostgreSQL: when it was asked for which names. It answers once `open` is set."""

    def __init__(self, clock: Clock) -> None:
        self.looks: list[tuple[float, set[str]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.answers = True
        self._clock = clock

    async def look(self, names: Collection[str]) -> bool:
        self.looks.append((self._clock.monotonic(), set(names)))
        await self.open.wait()
        return self.answers


async def test_names_asked_for_during_a_look_wait_for_the_next_one() -> None:
    clock = Leaps()
    register = Register(clock)
    lookup = Lookup(clock, register.look, most=10)
    register.open.clear()
    first = asyncio.create_task(lookup.wait("a", inf))
    while not register.looks:
        await asyncio.sleep(0)
    later = [asyncio.create_task(lookup.wait(name, inf)) for name in ("b", "c", "a")]
    await asyncio.sleep(0)

    register.open.set()
    await asyncio.gather(first, *later)

    assert register.looks == [(0.0, {"a"}), (1.0, {"a", "b", "c"})]


async def test_a_thousand_invented_names_a_second_are_one_look_a_second() -> None:
    clock = Leaps()
    register = Register(clock)
    lookup = Lookup(clock, register.look, most=1_000)

    for second in range(5):
        await asyncio.gather(*(lookup.wait(f"{second}-{number}", inf) for number in range(1_000)))

    assert [(at, len(names)) for at, names in register.looks] == [(float(second), 1_000) for second in range(5)]


async def test_more_than_may_wait_are_refused_at_once_and_take_nobodys_place() -> None:
    register = Register(Clock())
    lookup = Lookup(Clock(), register.look, most=3)
    register.open.clear()
    waiting = [asyncio.create_task(lookup.wait(name, inf)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)

    with pytest.raises(Refused) as refused:
        await lookup.wait("d", inf)
    register.open.set()
    await asyncio.gather(*waiting)

    assert refused.value.reason is Reason.NOT_LOOKED_UP
    assert register.looks[0][1] == {"a", "b", "c"}


async def test_nobody_waits_beyond_their_deadline_and_names_of_those_who_left_stay_bounded() -> None:
    register = Register(Clock())
    lookup = Lookup(Clock(), register.look, most=3)
    register.open.clear()

    for number in range(20):
        with pytest.raises(Refused):
            await lookup.wait(str(number), Clock().monotonic())
    register.open.set()
    await lookup.close()

    assert all(len(names) <= 3 for _, names in register.looks)


async def test_a_look_that_postgresql_does_not_answer_makes_nobody_unknown() -> None:
    register = Register(Clock())
    register.answers = False
    lookup = Lookup(Clock(), register.look, most=3)

    with pytest.raises(Refused) as refused:
        await lookup.wait("a", inf)

    assert refused.value.reason is Reason.NOT_LOOKED_UP
