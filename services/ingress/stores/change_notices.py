"""Changes of stores, told by PostgreSQL at once. What is not told, the poll finds: this only makes it sooner."""

import asyncio

import structlog
from pydantic import SecretStr

from db import notices
from db.address import read
from db.pool import INGRESS
from services.kernel import Process, Stop

log = structlog.get_logger()


class ChangeNotices:
    """Sets `changed` when something has changed of some store, for as long as the process lives."""

    def __init__(self, process: Process, changed: asyncio.Event) -> None:
        self._process = process
        self._changed = changed
        # The first failure is worth a remark: until it is mended a change takes as long as the poll.
        self._trouble = process.trouble("being told of changed stores", patience=1, needed=False)

    async def listen(self) -> None:
        """Until the process stops; a lost connection is made again, after pauses that grow."""
        process = self._process
        while not process.stopping.is_set():
            try:
                if not await self._listened():
                    return
            except Exception as error:
                await process.clock.wait(self._trouble.failed(error), process.stopping)

    async def _listened(self) -> bool:
        """False where nobody can be listened to: behind a pooler whose server is not known."""
        direct = self._process.settings.database_direct_url
        url = direct or self._process.settings.database_url
        if url is None:
            return False
        address = read(_plain(url))
        try:
            await notices.listen(address, INGRESS, notices.STORES, self._heard)
        except notices.ListenerPooled:
            if direct:
                raise Stop("DATABASE_DIRECT_URL leads through a pooler: name the server itself") from None
            log.info("changed_stores_are_polled", reason="a pooler stands before PostgreSQL: set DATABASE_DIRECT_URL")
            return False
        return True

    def _heard(self) -> None:
        self._trouble.over()
        self._changed.set()


def _plain(url: SecretStr) -> str:
    return url.get_secret_value()
