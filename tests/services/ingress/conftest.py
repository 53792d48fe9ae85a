"""A shop at doors that are served, and a page behind a real HTTP server, for the tests of what pages may do."""

from collections.abc import AsyncIterator

import httpx
import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.services.ingress.bench import Shop, open_shop, serving
from tests.services.ingress.page import Page


@pytest.fixture
async def shop(settings: Settings, admin_pool: Pool) -> Shop:
    return await open_shop(admin_pool, settings)


@pytest.fixture
async def client(settings: Settings, shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings) as (_, client):
        yield client


@pytest.fixture
async def page(settings: Settings, shop: Shop, client: httpx.AsyncClient) -> Page:
    return Page(settings, shop, client)
