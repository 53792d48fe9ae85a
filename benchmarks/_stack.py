"""What every benchmark runs on."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from local.stack import Stack, resolve
from services.kernel import Settings


@asynccontextmanager
async def open_stack() -> AsyncIterator[tuple[Stack, Path]]:
    """Kafka and PostgreSQL where the environment says, else started for this run, and a folder that ends with it."""
    given = Settings()
    kafka = given.kafka_bootstrap_servers
    url = given.database_url.get_secret_value() if given.database_url else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with resolve(folder / "stack", kafka_bootstrap_servers=kafka, database_url=url) as stack:
            yield stack, folder
