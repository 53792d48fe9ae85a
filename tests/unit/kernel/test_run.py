"""What a process does before it serves."""

import gc
from collections.abc import Iterator

import pytest

from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom


@pytest.fixture
def collector() -> Iterator[None]:
    """As a process starts with it; at the end as the session has it, which walks no modules either."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.freeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_what_is_there_at_the_start_is_never_walked_by_the_collector() -> None:
    before = len(gc.get_objects())
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    assert len(gc.get_objects()) < before / 100
