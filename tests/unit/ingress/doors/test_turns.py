"""Large bodies of one store are judged one after the other, so that no store has the loop for itself."""

import asyncio
import uuid
from contextlib import AsyncExitStack

import pytest

from services.ingress.doors.refusals import Reason, Refused
from services.ingress.doors.request import Bodies
from services.kernel import Clock
from services.kernel.publishing.lanes import BATCH_BYTES

_LARGE = bytes(BATCH_BYTES + 1)
_STORE, _OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
_SOON = Clock().monotonic() + 3600


async def test_a_large_body_waits_for_its_stores_last_one_and_for_nobody_elses() -> None:
    bodies, under_way = Bodies(Clock()), AsyncExitStack()
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
    bodies = Bodies(Clock())
    async with bodies.turn(_STORE, _LARGE, _SOON):
        pass

    with pytest.raises(Refused) as refused:
        async with bodies.turn(_STORE, _LARGE, Clock().monotonic()):
            pytest.fail("its turn has not come yet")
    assert refused.value.reason is Reason.NO_ROOM


async def test_whose_turn_does_not_come_by_its_deadline_is_refused_and_holds_up_nobody() -> None:
    bodies = Bodies(Clock())
    async with bodies.turn(_STORE, _LARGE, _SOON):
        with pytest.raises(Refused) as refused:
            async with bodies.turn(_STORE, _LARGE, Clock().monotonic()):
                pytest.fail("another one has its turn")
    assert refused.value.reason is Reason.NO_ROOM

    async with bodies.turn(_STORE, _LARGE, _SOON):
        pass
