"""Which webhook a delivery came on is told once, and a store that names a million costs no more than a few."""

import asyncio
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from db import rotations
from services.ingress.first_deliveries import FirstDeliveries
from services.kernel import Process, Settings

_HOSTILE, _HONEST = uuid.UUID(int=1), uuid.UUID(int=2)


class Told:
    """PostgreSQL in their place, away or not."""

    def __init__(self) -> None:
        self.versions: list[tuple[uuid.UUID, int]] = []
        self.is_away = False

    def acquire(self, **_: Any) -> "Told":
        return self

    async def __aenter__(self) -> "Told":
        if self.is_away:
            raise ConnectionRefusedError
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    one = Told()

    async def verified(_conn: Told, store: uuid.UUID, version: int) -> None:
        one.versions.append((store, version))

    monkeypatch.setattr(rotations, "verified", verified)
    monkeypatch.setattr(Process, "pool", lambda *_: one)
    return one


async def test_invented_versions_of_one_store_cost_the_others_nothing(told: Told, tmp_path: Path) -> None:
    deliveries = FirstDeliveries(Process(Settings(data_directory=tmp_path)))
    told.is_away = True
    for version in range(100_000):
        deliveries.note(_HOSTILE, b"v=%d" % version)
        if version % 25_000 == 0:
            await deliveries.write()
    deliveries.note(_HONEST, b"v=2")
    told.is_away = False
    await deliveries.write()
    for _ in range(3):
        deliveries.note(_HONEST, b"v=2")
        deliveries.note(_HONEST, b"w=3")
    await asyncio.wait_for(deliveries.write(), 5)
    assert Counter(store for store, _ in told.versions) == {_HOSTILE: 8, _HONEST: 1}
    assert (_HONEST, 2) in told.versions
