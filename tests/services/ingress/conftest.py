"""A page behind a real HTTP server, for the tests of what pages may do."""

from collections.abc import AsyncIterator

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.services.ingress.bench import open_shop, serving
from tests.services.ingress.page import Page


@pytest.fixture
async def page(settings: Settings, admin_pool: Pool) -> AsyncIterator[Page]:
    shop = await open_shop(admin_pool, settings)
    async with serving(settings) as (_, client):
        yield Page(settings, shop, client)
