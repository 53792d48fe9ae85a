"""Large bodies: no sender has all the room for them, and no store the loop."""

import asyncio
import uuid
from contextlib import AsyncExitStack

import pytest
from starlette.types import Message, Scope

from services.ingress.doors.refusals import Reason, Refused
from services.ingress.doors.request import DEADLINE, WEBHOOK_BYTES, Bodies
from services.kernel import Clock
from services.kernel.publishing.lanes import BATCH_BYTES

_LARGE = bytes(BATCH_BYTES + 1)
_STORE, _OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
_SOON = Clock().monotonic() + 3600


async def test_a_large_body_waits_for_its_stores_last_one_and_for_nobody_elses() -> None:
    bodies, under_way = Bodies(Clock(), 0), AsyncExitStack()
    await under_way.enter_async_context(bodies.turn(_STORE, _LARGE, _SOON))

    async def take() -> None:
        async with bodies.turn(_STORE, _LARGE, _SOON):
            pass

    async with bodies.turn(_STORE, b"small", _SOON), bodies.turn(_OTHER, _LARGE, _SOON):
        next_one = asyncio.create_task(take())
        await asyncio.sleep(0)
        assert not next_one.done()
    await under_way.aclose()
    await next_one


async def test_others_have_the_loop_before_a_stores_next_large_body() -> None:
    bodies = Bodies(Clock(), 0)
    async with bodies.turn(_STORE, _LARGE, _SOON):
        pass

    with pytest.raises(Refused) as refused:
        async with bodies.turn(_STORE, _LARGE, Clock().monotonic()):
            pytest.fail("its turn has not come yet")
    assert refused.value.reason is Reason.NO_ROOM


async def test_whose_turn_does_not_come_by_its_deadline_is_refused_and_holds_up_nobody() -> None:
    bodies = Bodies(Clock(), 0)
    async with bodies.turn(_STORE, _LARGE, _SOON):
        with pytest.raises(Refused) as refused:
            async with bodies.turn(_STORE, _LARGE, Clock().monotonic()):
                pytest.fail("another one has its turn")
    assert refused.value.reason is Reason.NO_ROOM

    async with bodies.turn(_STORE, _LARGE, _SOON):
        pass


async def read(bodies: Bodies, address: str) -> Scope:
    """A request of this address, whose body of 4 MB is there and which is not answered yet."""
    scope: Scope = {"client": (address, 1), "headers": [], DEADLINE: 0.0}
    parts = [b"a" * 2**16] * (WEBHOOK_BYTES // 2**16)

    async def receive() -> Message:
        part = parts.pop()
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    try:
        await bodies.read(scope, {}, receive, WEBHOOK_BYTES)
    except Refused:
        bodies.end(scope)
        raise
    return scope


async def read_many(bodies: Bodies, address: str) -> list[Scope]:
    """All that are not refused."""
    outcomes = [await asyncio.gather(read(bodies, address), return_exceptions=True) for _ in range(20)]
    refused = [one for (one,) in outcomes if isinstance(one, Refused)]
    assert {one.reason for one in refused} == {Reason.NO_ROOM}
    return [one for (one,) in outcomes if isinstance(one, dict)]


async def test_who_holds_many_large_bodies_leaves_as_much_for_the_next_one() -> None:
    bodies = Bodies(Clock(), 0)
    held = [await read_many(bodies, f"192.0.2.{number}") for number in range(3)]

    assert [len(one) for one in held] == [12, 6, 3]
    await read(bodies, "192.0.2.99")


async def test_what_is_answered_makes_room_again() -> None:
    bodies = Bodies(Clock(), 0)
    for scope in await read_many(bodies, "192.0.2.1"):
        bodies.end(scope)

    assert len(await read_many(bodies, "192.0.2.1")) == 12
