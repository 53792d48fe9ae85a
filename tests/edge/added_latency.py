"""What nginx adds to the time that a webhook takes: `pytest -s tests/edge/added_latency.py`, best on a machine at rest.

Straight and behind nginx in turn, in windows so short that what the machine does besides meets both alike. All windows
together decide; the middle window's p99 is told beside it, for two or three pauses of the whole machine are one in a
hundred of all webhooks and fall to one side or the other. Where the machine queues without nginx nothing can be told:
the rate is lowered until it does not.
"""

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson
import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.clients.clients import Absent
from tests.edge.ingresses import Ingresses
from tests.edge.real_nginx import Edge, edge
from tests.edge.sending import kept_lines, waited, webhooks
from tests.eventually import eventually
from tests.services.ingress.bench import Shop, open_shop
from tests.services.kernel.web.test_garbage import without_collector

_PAIRS, _WINDOW = 60, 500  # 30,000 webhooks straight, 30,000 behind nginx
_RATES = (1_000, 500, 250, 125)  # a second; the highest that this machine does not queue at
_QUEUED_MS = 50.0  # p99 of a second's webhooks at a rate that is too high for this machine
_MOST_RATIO = 1.5
_WARM = 3  # windows of each side before anything is told
_DRAWS = 100


@pytest.mark.usefixtures("topics")
async def test_p99_behind_nginx_is_at_most_half_as_much_again_as_without(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(admin_pool, settings)
    ingresses = Ingresses(settings, tmp_path)
    async with AsyncExitStack() as stack:
        for number in (0, 1):
            await ingresses.start(number)
            stack.push_async_callback(ingresses.stop, number)
        try:
            front = await stack.enter_async_context(edge(tmp_path / "edge", *ingresses.addresses))
        except Absent as absent:
            pytest.skip(str(absent))
        compared = await compare(shop, ingresses.ports, front)
    print(compared)
    assert compared.verdict != "FAILS"


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


@dataclass(frozen=True)
class Compared:
    """Milliseconds of pairs of windows that followed each other, straight and behind nginx, at so many a second."""

    rate: int
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]]
    added: Sequence[float]  # what nginx itself counts beyond what its ingress took, as its log has it

    @cached_property
    def ratios(self) -> tuple[float, float, float]:
        """p99 of all behind nginx by p99 of all straight, and that of nine in ten other draws of pairs."""
        chance = random.Random(1)
        drawn = [_ratio(chance.choices(self.pairs, k=len(self.pairs))) for _ in range(_DRAWS)]
        return _ratio(self.pairs), quantile(drawn, 0.05), quantile(drawn, 0.95)

    @property
    def verdict(self) -> str:
        _, least, most = self.ratios
        if quantile(_side(self.pairs, 0), 0.99) >= _QUEUED_MS:
            return "cannot be told now: this machine queues even at that rate, without nginx"
        if most <= _MOST_RATIO:
            return "holds"
        return "FAILS" if least > _MOST_RATIO else "cannot be told now: the machine has too much other work"

    def __str__(self) -> str:
        ratio, least, most = self.ratios
        sides = [_side(self.pairs, number) for number in (0, 1)]
        middle = [_middle(self.pairs, number) for number in (0, 1)]
        ms = [f"{name} {quantile(side, 0.5):.1f} and {quantile(side, 0.99):.1f}" for name, side in
              zip(("straight", "behind nginx with TLS"), sides, strict=True)]  # fmt: skip
        return (
            f"edge: {len(sides[0])} webhooks straight, as many behind nginx, at {self.rate} a second, p50 and p99 in "
            f"ms: {', '.join(ms)}; ratio of p99 {ratio:.2f} ({least:.2f} to {most:.2f} in nine draws of ten of its "
            f"{len(self.pairs)} pairs of windows; in the middle window of a side {middle[0]:.1f} and {middle[1]:.1f}, "
            f"{middle[1] / middle[0]:.2f}): at most {_MOST_RATIO} {self.verdict}; of which in nginx itself, "
            f"by its log, {quantile(self.added, 0.99):.0f} ms in 99 of 100"
        )


def _side(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], number: int) -> list[float]:
    return [one for pair in pairs for one in pair[number]]


def _middle(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], number: int) -> float:
    """Half of the side's windows have a lower p99."""
    return quantile([quantile(pair[number], 0.99) for pair in pairs], 0.5)


def _ratio(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    return quantile(_side(pairs, 1), 0.99) / quantile(_side(pairs, 0), 0.99)


async def compare(shop: Shop, ports: Sequence[int], front: Edge) -> Compared:
    """Each side is first in half of the pairs, and each leads to both ingresses."""
    for to in (ports, front) * _WARM:
        await _window(shop, to, _WINDOW, _WINDOW)
    rate = await _bearable(shop, ports)
    pairs = []
    for number in range(_PAIRS):
        both = {}
        for to in (ports, front) if number % 2 else (front, ports):
            both[to is front] = await _window(shop, to, _WINDOW, rate)
        pairs.append((both[False], both[True]))
    return Compared(rate, pairs, await eventually(lambda: _added(front, _PAIRS * _WINDOW)))


async def _window(shop: Shop, to: Edge | Sequence[int], count: int, rate: float) -> list[float]:
    """Of so many webhooks, over connections of their own."""
    requests = webhooks(shop, count)
    async with kept_lines(to) as lines:
        with without_collector():
            return await waited(lines, requests, rate)


async def _bearable(shop: Shop, ports: Sequence[int]) -> int:
    for rate in _RATES[:-1]:
        seconds = [quantile(await _window(shop, ports, rate, rate), 0.99) for _ in range(3)]
        if quantile(seconds, 0.5) < _QUEUED_MS:
            return rate
    return _RATES[-1]


def _added(front: Edge, count: int) -> list[float]:
    """Of the last so many requests."""
    answered = [orjson.loads(line) for line in (front.folder / "access.log").read_bytes().splitlines()[-count:]]
    return [1000 * (float(one["seconds"]) - sum(map(float, one["upstream_seconds"].split(", ")))) for one in answered]
