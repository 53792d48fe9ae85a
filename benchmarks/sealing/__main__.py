"""What it costs to seal a record and to open it again: in µs of processor time, and of a whole webhook door.

`known`: people whose hour's keys are remembered, as of most records. `new`: each record's people come for the first
time. `cut`: the tree has been through so many erasures. `door`: two ingresses side by side, webhooks of a store that
seals against the same of one that does not; ratios of neighbouring rounds.
`python -m benchmarks.sealing --json` ends with one object.
"""

import itertools
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from benchmarks._command import command, sentence, spread
from benchmarks._ingress import alternate, compared, environment_on, recorded_bodies, shop_on, started, webhooks
from benchmarks._stack import open_stack
from schemas.stores import StoreOptions
from schemas.topics import WEBHOOKS
from services.control.stores import attach
from services.kernel import Record, Settings
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.kernel.sealing.envelope import header_of, opened
from services.kernel.sealing.keys import TreeKeys
from services.kernel.sealing.sealer import Sealer
from services.kernel.sealing.tree import NAME_BITS, Tree, path_of
from services.kernel.secrets import Secrets

_CUTS = 300  # names: about a hundred people
_ACCOUNT = 3
_STORE, _SECRET = uuid.uuid4(), b"s" * 32


async def measure(records: int, rounds: int) -> dict[str, Any]:
    """Each round once each way, over recorded bodies."""
    taken = list(itertools.islice(recorded_bodies(_ACCOUNT), records))
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, microseconds in _round(taken):
            figures.setdefault(name, []).append(microseconds)
    for name, of_rounds in figures.items():
        print(f"{name}: {sentence(of_rounds)} µs a record")
    door = await _door(records, rounds)
    return {
        "name": "sealing",
        "ratios": {name: door[name]["median"] for name in ("throughput_ratio", "cpu_ratio")},
        "figures": {name: spread(one) for name, one in figures.items()}
        | {f"door_{name}": one for name, one in door.items()},
    }


async def _door(count: int, rounds: int) -> dict[str, Any]:
    async with open_stack() as (stack, folder):
        shop, sealed, environment = (
            await shop_on(stack, folder),
            await shop_on(stack, folder),
            environment_on(stack, folder),
        )
        settings = Settings(database_url=stack.database_url, data_directory=folder)
        await attach.add(settings, StoreOptions(slug=sealed.slug, seal=True))
        ours = (sys.executable, "-m", "benchmarks._ingress_server", "ours")
        async with started("sealing", ours, environment) as sealing, started("plain", ours, environment) as plain:
            pair = (plain, webhooks(shop, count)[1]), (sealing, webhooks(sealed, count)[1])
            await alternate(pair, rounds)
            return compared(sealing, plain)


def _round(bodies: list[bytes]) -> Iterator[tuple[str, float]]:
    now = datetime.now(UTC)
    plain = [
        Record.accepted(WEBHOOKS.name, key=f"{_STORE}:conversation:{number % 200}".encode(), value=body, store=_STORE,
                        event="message_created", origin="webhook", received_at=now)
        for number, body in enumerate(bodies)
    ]  # fmt: skip
    for name, people, cuts in (("known", 200, 0), ("new", len(bodies), 0), ("known, cut", 200, _CUTS)):
        sealer = _sealer(cuts)
        about = [_people(number % people) for number in range(len(plain))]
        if name != "new":
            _sealed(sealer, plain, about)
        yield f"seal, {name}", _timed(lambda s=sealer, a=about: _sealed(s, plain, a), len(plain))  # type: ignore[misc]
        done = _sealed(sealer, plain, about)
        yield f"open, {name}", _timed(lambda s=sealer, d=done: _opened(s, d), len(plain))  # type: ignore[misc]


def _sealed(sealer: Sealer, records: list[Record], about: list[list[Subject]]) -> list[Record]:
    return [sealer.sealed(record, whose) for record, whose in zip(records, about, strict=True)]


def _opened(sealer: Sealer, records: list[Record]) -> None:
    tree = sealer.trees[0]
    for record in records:
        keys = tree.of(header_of(record).names, record.received_at)
        assert keys
        opened(record, keys)


def _sealer(cuts: int) -> Sealer:
    tree = Tree.planted()
    for name in random.Random(1).sample(range(1 << NAME_BITS), cuts):
        tree = tree.without(path_of(name, 0), path_of(name, 1_000))
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Sealer(_STORE, [TreeKeys(uuid.uuid4(), month, tree)], Pseudonyms(Secrets(_SECRET)), _SECRET)


def _people(number: int) -> list[Subject]:
    """As many names as a conversation's webhook bears."""
    names = ("conversation", "contact", "customer", "email", "phone")
    return [Subject(kind, f"{kind}{number}") for kind in names]  # type: ignore[arg-type]


def _timed(work: Callable[[], object], records: int) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / records * 1e6


if __name__ == "__main__":
    command(measure, "sealing a record against the door's own work", amount="records", default=5_000, rounds=5)
