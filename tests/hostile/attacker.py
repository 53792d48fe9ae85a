"""The attack as a process of its own: `python -m tests.hostile.attacker`.

Reads one line of JSON, what it is to do, and for each wave of acts a line that says how many; writes a line for each
act's begin and end, and one for each wave's end. Where times are judged it keeps a core busy between waves, too, and
harms nobody: what is measured then has no more of the machine than what is measured under the attack.
"""

import asyncio
import itertools
import random
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.hostile.acts import ACTS, FELT_BY_SLOW_DOORS
from tests.hostile.chatwoot import Chatwoot
from tests.hostile.tenant import Target, Tenant
from tests.hostile.weights import behind_others

_ACT_SECONDS = 10.0
_BUSY_SECONDS = 0.005  # of a turn between waves
_HARMLESS = (OSError, asyncio.IncompleteReadError, TimeoutError)  # the system hung up, or had no time for us


@dataclass(frozen=True)
class Orders:
    """Acts by these names, so many at once."""

    target: Target
    seed: int
    at_once: int
    names: Sequence[str]
    timed: bool  # whether times are judged: then it comes behind all others, and a core is busy between its waves


def turns(names: Sequence[str], chance: random.Random) -> Iterator[str]:
    """By chance, but each act once before any comes again."""
    while True:
        yield from chance.sample(names, len(names))


async def attack(orders: Orders) -> None:
    """One wave for each line on standard input."""
    chatwoot, queue = Chatwoot(), enumerate(turns(orders.names, random.Random(orders.seed)))
    async with chatwoot.listening(orders.target.chatwoot_port):
        while count := await _next_wave(busy=orders.timed):
            await wave(orders, chatwoot, itertools.islice(queue, count))
            _say(wave=count)


async def _next_wave(*, busy: bool) -> int:
    """How many acts it has; 0: there is none any more."""
    line = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.readline))
    while busy and not line.done():
        until = time.monotonic() + _BUSY_SECONDS
        while time.monotonic() < until:
            pass
        await asyncio.sleep(0)
    return int(await line or 0)


async def wave(orders: Orders, chatwoot: Chatwoot, acts: Iterator[tuple[int, str]]) -> None:
    async def work() -> None:
        for number, name in acts:
            tenant = Tenant(orders.target, random.Random(f"{orders.seed} {number} {name}"), chatwoot)
            _say(number=number, act=name)
            how = await _done(name, tenant)
            _say(number=number, act=name, how=how, answers={str(status): n for status, n in tenant.answers.items()})

    await asyncio.gather(*(work() for _ in range(orders.at_once)))


async def _done(name: str, tenant: Tenant) -> str:
    """How the act ended: done, cut short, or by a fault of its own."""
    try:
        async with asyncio.timeout(_ACT_SECONDS):
            await (ACTS | FELT_BY_SLOW_DOORS)[name](tenant)
    except _HARMLESS as error:
        return f"cut short: {type(error).__name__}"
    except Exception:
        return "fault: " + traceback.format_exc()
    return "done"


def _say(**line: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    said = orjson.loads(sys.stdin.buffer.readline())
    orders = Orders(**{**said, "target": Target.of(said["target"])})
    if orders.timed:
        behind_others()
    asyncio.run(attack(orders))


if __name__ == "__main__":
    main()
