"""Two processes that send: each Chatwoot hears one of them at a time, and soon the other when one dies or freezes."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.chaos.contacts.front import Front, FrontCall
from tests.chaos.contacts.shop import Shop, sending
from tests.chaos.processes import Worker, started
from tests.eventually import eventually

_PEOPLE, _PER_SECOND, _BEFORE = 60, 20.0, 10
_TAKEN_OVER_SECONDS = 15.0


def _never_two_at_once(calls: list[FrontCall]) -> int:
    """How often the sender changed; of two calls by different senders one had ended before the other began."""
    ordered = sorted(calls, key=lambda call: call.begun)
    changes = 0
    for before, after in itertools.pairwise(ordered):
        if before.sender != after.sender:
            changes += 1
            open_then = {call.sender for call in ordered if call.begun < after.begun < call.ended}
            assert open_then <= {after.sender}
    return changes


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("leave", [Worker.kill, pytest.param(Worker.freeze, marks=pytest.mark.chaos)])
async def test_one_process_sends_to_a_chatwoot_and_another_takes_over(
    settings: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path, leave: Callable[[Worker], object], long: bool
) -> None:
    workers = [sending(settings, tmp_path / f"{one}.log", per_second=_PER_SECOND) for one in "ab"]
    async with Front().listening() as front, Front().listening() as other:
        shops = [Shop(pool, front, _PEOPLE), Shop(pool, other, _PEOPLE)]
        for shop in shops:
            await shop.open(admin_pool, settings)
            await shop.orders(shop.wanted)
        async with started(*workers):
            await eventually(lambda: len(front.calls) >= _BEFORE)
            first = next(one for one in workers if str(one.pid) == front.calls[0].sender)
            (heir,) = (one for one in workers if one is not first)
            gone, pid = time.monotonic(), str(first.pid)
            if leave is Worker.freeze:
                first.freeze()
            else:
                await first.kill()
            await eventually(lambda: str(heir.pid) in {call.sender for call in front.calls})
            taken = next(call.begun for call in front.calls if call.sender == str(heir.pid)) - gone
            if leave is Worker.freeze:
                first.thaw()
            for shop in shops:
                await eventually(shop.all_know)
            assert _never_two_at_once(front.calls) == 1
            assert {call.sender for call in front.calls if call.begun > gone + taken} == {str(heir.pid)} != {pid}
            _never_two_at_once(other.calls)
    print(f"taken over {taken:.1f} s after {leave.__name__}; {len(front.calls)} calls for {_PEOPLE} people")
    assert not long or taken < _TAKEN_OVER_SECONDS


@pytest.mark.chaos
@pytest.mark.usefixtures("topics")
async def test_two_chatwoots_keep_their_pace_while_a_third_hangs(
    settings: Settings, pool: Pool, admin_pool: Pool, tmp_path: Path
) -> None:
    worker, seconds, windows = sending(settings, tmp_path / "log", per_second=20.0), 20.0, 4
    async with Front().listening() as one, Front().listening() as two, Front().listening() as third:
        third.fault = lambda: "silence"
        shops = [Shop(pool, front, 1_000) for front in (one, two)]
        hanging = Shop(pool, third, 200)
        for shop in (*shops, hanging):
            await shop.open(admin_pool, settings)
        for shop in shops:
            await shop.orders(shop.wanted)
        calls: dict[bool, int] = {False: 0, True: 0}
        async with started(worker):
            await eventually(lambda: len(one.calls) > 20 and len(two.calls) > 20)
            for window in range(windows):
                hangs = bool(window % 2)
                if hangs:
                    await hanging.orders(hanging.wanted)
                begun, before = time.monotonic(), len(one.calls) + len(two.calls)
                await eventually(lambda: time.monotonic() - begun > seconds)  # noqa: B023
                calls[hangs] += len(one.calls) + len(two.calls) - before
                for shop in shops:  # never without work
                    await shop.orders(
                        number for number in shop.wanted if shop.front.held_by(number) == shop.wanted[number]
                    )
        assert third.calls
    print(f"calls to two Chatwoots in {windows // 2} windows of {seconds:.0f} s: {calls[False]} while all is well,"
          f" {calls[True]} while a third hangs: ratio {calls[True] / calls[False]:.3f}")  # fmt: skip
