"""What nginx adds to the time that a webhook takes: `pytest -s tests/edge/added_latency.py`, best on a machine at rest.

Straight and behind nginx in turn, in windows so short that what the machine does besides meets both alike; the middle
of the pairs decides. Where the machine queues without nginx nothing can be told: the rate is lowered until it does not.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
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

_PAIRS, _WINDOW = 20, 500  # 10,000 webhooks straight, 10,000 behind nginx
_RATES = (1_000, 500, 250, 125)  # a second; the highest that this machine does not queue at
_QUEUED_MS = 50.0  # p99 of a second's webhooks at a rate that is too high for this machine
_MOST_RATIO = 1.5


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
    """p99 behind nginx by p99 straight, of windows that follow each other; milliseconds of all windows together."""

    rate: int
    ratios: Sequence[float]
    straight: Sequence[float]
    behind: Sequence[float]
    added: Sequence[float]  # milliseconds that nginx itself counts beyond what its ingress took, as its log has them

    @property
    def quarters(self) -> tuple[float, float, float]:
        """The lower quarter, the middle, the upper quarter of the ratios."""
        low, middle, high = (quantile(self.ratios, share) for share in (0.25, 0.5, 0.75))
        return low, middle, high

    @property
    def verdict(self) -> str:
        low, middle, _ = self.quarters
        if quantile(self.straight, 0.99) >= _QUEUED_MS:
            return "cannot be told now: this machine queues even at that rate, without nginx"
        if middle <= _MOST_RATIO:
            return "holds"
        return "FAILS" if low > _MOST_RATIO else "cannot be told now: the machine has too much other work"

    def __str__(self) -> str:
        low, middle, high = self.quarters
        ms = [f"{name} {quantile(one, 0.5):.1f} and {quantile(one, 0.99):.1f}" for name, one in
              (("straight", self.straight), ("behind nginx with TLS", self.behind))]  # fmt: skip
        together = quantile(self.behind, 0.99) / quantile(self.straight, 0.99)
        return (
            f"edge: {len(self.straight)} webhooks straight, as many behind nginx, at {self.rate} a second, p50 and p99 "
            f"in ms: {', '.join(ms)}; ratio of p99 {middle:.2f} ({low:.2f} to {high:.2f} in the middle half of "
            f"{len(self.ratios)} pairs of windows), of all together {together:.2f}: "
            f"at most {_MOST_RATIO} {self.verdict}; of which in nginx itself, by its log, "
            f"{quantile(self.added, 0.99):.0f} ms in 99 of 100"
        )


async def compare(shop: Shop, ports: Sequence[int], front: Edge) -> Compared:
    """Each side is first in half of the pairs, and each leads to both ingresses."""
    for to in (ports, front):
        await _window(shop, to, _WINDOW, _WINDOW)  # warm
    rate = await _bearable(shop, ports)
    pairs = []
    for number in range(_PAIRS):
        both = {}
        for to in (ports, front) if number % 2 else (front, ports):
            both[to is front] = await _window(shop, to, _WINDOW, rate)
        pairs.append((both[False], both[True]))
    ratios = [quantile(after, 0.99) / quantile(before, 0.99) for before, after in pairs]
    straight, behind = ([one for window in side for one in window] for side in zip(*pairs, strict=True))
    return Compared(rate, ratios, straight, behind, await eventually(lambda: _added(front, len(behind))))


async def _window(shop: Shop, to: Edge | Sequence[int], count: int, rate: float) -> list[float]:
    """Of so many webhooks, over connections of their own."""
    requests = webhooks(shop, count)
    async with kept_lines(to) as lines:
        with _no_collection():
            return await waited(lines, requests, rate)


async def _bearable(shop: Shop, ports: Sequence[int]) -> int:
    for rate in _RATES[:-1]:
        if quantile(await _window(shop, ports, rate, rate), 0.99) < _QUEUED_MS:
            return rate
    return _RATES[-1]


def _added(front: Edge, count: int) -> list[float]:
    """Of the last so many requests."""
    answered = [orjson.loads(line) for line in (front.folder / "access.log").read_bytes().splitlines()[-count:]]
    return [1000 * (float(one["seconds"]) - sum(map(float, one["upstream_seconds"].split(", ")))) for one in answered]


@contextmanager
def _no_collection() -> Iterator[None]:
    """The one who asks collects its garbage between windows; in one it would be told as the server's time."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
