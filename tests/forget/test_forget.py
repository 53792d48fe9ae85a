"""`make forget` in short: one person, erased."""

import random
import secrets
from pathlib import Path

import pytest

from local.stack import Stack
from services.kernel import Settings
from tests.databases import empty_database
from tests.forget.kills import MOMENTS, killed, killed_whenever
from tests.forget.proof import prove
from tests.forget.scene import scene_on

pytestmark = [pytest.mark.from_the_beginning, pytest.mark.usefixtures("topics")]


@pytest.mark.parametrize("seal", [False, True], ids=["as they came", "sealed"])
async def test_nothing_of_who_was_erased_comes_back_from_topics_letters_spool_or_an_older_database(
    settings: Settings, stack: Stack, tmp_path: Path, seal: bool
) -> None:
    mark = secrets.token_hex(4)
    print("mark", mark)
    async with empty_database(stack.database_url) as url:
        found = await prove(settings, url, tmp_path, mark, thorough=False, seal=seal)
    print(found)
    assert found.forgotten


async def test_an_erasure_that_was_killed_goes_on_where_it_was(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    async with empty_database(stack.database_url) as url:
        scene = await scene_on(settings, url, tmp_path, seal=True)
        moments = random.Random(seed).sample(MOMENTS, 2)
        left = await killed(scene, moments, secrets.token_hex(4))
        whenever = await killed_whenever(scene, 2, seed, secrets.token_hex(4))
        print(whenever)
    assert left == [(*moment, 0) for moment in moments]
    assert [kill.hits for kill in whenever] == [0, 0]
