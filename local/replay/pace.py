"""Doing things at a chosen rate, several at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")

AT_ONCE = 16  # acts under way


async def at_rate(
    items: Iterable[Item],
    act: Callable[[Item], Awaitable[None]],
    *,
    per_second: float | None,
    until: asyncio.Event | None = None,
) -> None:
    """Act on each item in turn, so many a second (None: as fast as it goes), until they or the time are up.

    A slow answer delays nobody until sixteen are under way, as many as a Chatwoot's own workers.
    """
    # One place: an item is taken when somebody is free for it, so the rate holds and nothing piles up.
    waiting: asyncio.Queue[Item | None] = asyncio.Queue(maxsize=1)
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_work(waiting, act))
        begin = asyncio.get_running_loop().time()
        for number, item in enumerate(items):
            if per_second and not await _wait_for_turn(begin + number / per_second, until):
                break
            if until and until.is_set():
                break
            await waiting.put(item)
        for _ in range(AT_ONCE):
            # One for each worker, behind the last item.
            await waiting.put(None)


async def _work(waiting: "asyncio.Queue[Item | None]", act: Callable[[Item], Awaitable[None]]) -> None:
    while (item := await waiting.get()) is not None:
        await act(item)


async def _wait_for_turn(moment: float, until: asyncio.Event | None) -> bool:
    """Sleep until the moment; False if the end came first."""
    seconds = moment - asyncio.get_running_loop().time()
    if seconds <= 0:
        return True
    if until is None:
        await asyncio.sleep(seconds)
        return True
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return True
    return False
