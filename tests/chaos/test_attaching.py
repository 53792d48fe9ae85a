"""Stores attached while their senders post to them already, at two ingress processes, round after round."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.kernel import Settings
from services.kernel.secrets import load_secrets
from tests.chaos.doors import ingress
from tests.services.ingress.attaching import attached_under_fire

_ROUNDS, _STORES = 20, 20


@pytest.mark.chaos
@pytest.mark.usefixtures("topics")
async def test_no_store_that_is_attached_is_refused_anywhere(settings: Settings, tmp_path: Path) -> None:
    load_secrets(settings)  # whoever asks first makes the key
    key = {"installation_key_file": settings.data_directory / "installation.key"}
    before, after = Counter[int](), Counter[int]()
    async with AsyncExitStack() as stack:
        both = [settings.model_copy(update=key | {"data_directory": tmp_path / name}) for name in ("one", "two")]
        doors = [await stack.enter_async_context(ingress(one)) for one in both]
        for _ in range(_ROUNDS):
            for refused, taken in await asyncio.gather(*(attached_under_fire(settings, doors) for _ in range(_STORES))):
                before.update(refused)
                after.update(taken)
    print(f"{_ROUNDS} rounds of {_STORES} stores: answered after the attaching: {dict(after)}")
    assert {401} <= set(before) <= {401, 204}  # taken as soon as it was attached, which our verb said a moment later
    assert set(after) == {204}
