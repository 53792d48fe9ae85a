"""One store, which no example changes for good."""

from uuid import UUID

import pytest_asyncio

from db.pool import Pool
from tests.services.attached import attach


@pytest_asyncio.fixture(scope="module")
async def store(admin_pool: Pool) -> UUID:
    return await attach(admin_pool)
