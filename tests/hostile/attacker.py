"""The attack as a process of its own, so that it slows nobody's measuring: `python -m tests.hostile.attacker`.

Reads one line of JSON, what it is to do; writes a line for each act's begin and end.
"""

import asyncio
import random
import resource
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.hostile.acts import ACTS
from tests.hostile.chatwoot import Chatwoot
from tests.hostile.tenant import Target, Tenant

_ACT_SECONDS = 10.0
_HARMLESS = (OSError, asyncio.IncompleteReadError, TimeoutError)  # the system hung up, or had no time for us


@dataclass(frozen=True)
class Orders:
    """So many of these acts, so many at once."""

    target: Target
    seed: int
    count: int
    at_once: int
    names: Sequence[str]


def turns(names: Sequence[str], count: int, chance: random.Random) -> Iterator[str]:
    """By chance, but each act once before any comes again."""
    left: list[str] = []
    for _ in range(count):
        left = left or chance.sample(names, len(names))
        yield left.pop()


async def attack(orders: Orders) -> None:
    chatwoot, chance = Chatwoot(), random.Random(orders.seed)
    queue = enumerate(turns(orders.names, orders.count, chance))

    async def work() -> None:
        for number, name in queue:
            tenant = Tenant(orders.target, random.Random(f"{orders.seed} {number} {name}"), chatwoot)
            _say(number=number, act=name)
            how = await _done(name, tenant)
            _say(number=number, act=name, how=how, answers={str(status): n for status, n in tenant.answers.items()})

    async with chatwoot.listening(orders.target.chatwoot_port):
        await asyncio.gather(*(work() for _ in range(orders.at_once)))


async def _done(name: str, tenant: Tenant) -> str:
    """How the act ended: done, cut short, or by a fault of its own."""
    try:
        async with asyncio.timeout(_ACT_SECONDS):
            await ACTS[name](tenant)
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
    asyncio.run(attack(Orders(**{**said, "target": Target.of(said["target"])})))


if __name__ == "__main__":
    main()
