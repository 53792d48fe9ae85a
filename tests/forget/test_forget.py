"""`make forget` in short: one person, erased."""

import secrets
from pathlib import Path

import pytest

from local.stack import Stack
from services.kernel import Settings
from tests.databases import empty_database
from tests.forget.proof import prove


@pytest.mark.usefixtures("topics")
async def test_nothing_of_who_was_erased_comes_back_from_topics_letters_spool_or_an_older_database(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    mark = secrets.token_hex(4)
    print("mark", mark)
    async with empty_database(stack.database_url) as url:
        found = await prove(settings, url, tmp_path, mark, thorough=False)
    print(found)
    assert found.forgotten
