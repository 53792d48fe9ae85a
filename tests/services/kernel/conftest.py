"""The kernel's tests get a bench each: a topic, a store and a sink of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kernel_bench import Bench, open_bench


@pytest.fixture
async def bench(kafka: str, database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(kafka, database_url, tmp_path) as opened:
        yield opened
