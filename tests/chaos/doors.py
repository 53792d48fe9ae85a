"""An ingress in a process of its own, as in production, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.kernel import Settings
from tests.eventually import PATIENCE_SECONDS
from tests.services.ingress.running import running


@asynccontextmanager
async def ingress(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    settings.data_directory.mkdir()
    key = {"WOOTSTREAM_INSTALLATION_KEY_FILE": str(settings.installation_key_file), "WOOTSTREAM_LOG_LEVEL": "info"}
    async with (
        running(settings, settings.data_directory, **key) as ours,
        httpx.AsyncClient(base_url=ours.address, timeout=PATIENCE_SECONDS) as client,
    ):
        yield client
