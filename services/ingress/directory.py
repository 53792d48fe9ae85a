"""The stores kept fresh: read every 10 s and on a miss; from a sealed copy on disk where PostgreSQL is away."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from db import stores as table
from db.pool import INGRESS
from services.ingress.stores import NOBODY, Known, Store, opened
from services.kernel import Process, Sealed
from services.kernel.errors import describe

POLL_SECONDS = 10.0
# Unknown names must not become queries: at most one re-read in so many seconds, whoever asks.
_MISS_SECONDS = 1.0
_WAIT_SECONDS = 2.0
_INSTALLATION, _COLUMN = UUID(int=0), "stores"
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
log = structlog.get_logger()


class Directory:
    """Every active store, by the names that requests use."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._file = process.settings.data_directory / "ingress" / "stores.sealed"
        self._kept = b""
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self.known = Known()
        self.loaded = False
        self._recall()

    async def named(self, slug: str) -> Store:
        """The store of this short name, or NOBODY; a name not met before is looked up once."""
        return self.known.by_slug.get(slug) or (await self._fresh()).by_slug.get(slug, NOBODY)

    async def of_website(self, token: str) -> Store:
        """The same by its widget's token."""
        return self.known.by_website.get(token) or (await self._fresh()).by_website.get(token, NOBODY)

    async def refresh(self) -> bool:
        """Read all stores; while PostgreSQL is away those in memory stay as they are."""
        async with self._reading:
            await self._read()
        return False

    def fault(self) -> str | None:
        """For /ready: without any store every sender would be turned away."""
        return None if self.loaded else "no store is known: PostgreSQL has not answered, and there is no earlier copy"

    async def _fresh(self) -> Known:
        asked_at = self._process.clock.monotonic()
        async with self._reading:  # whoever misses meanwhile is served by the same read
            if asked_at - self._read_at >= _MISS_SECONDS:
                await self._read()
        return self.known

    async def _read(self) -> None:
        self._read_at = self._process.clock.monotonic()
        try:
            async with self._process.pool(INGRESS).acquire(timeout=_WAIT_SECONDS) as conn:
                rows = [dict(row) for row in await table.doors(conn)]
        except _AWAY as error:
            log.warning("stores_are_not_refreshed", error=describe(error))
            return
        self._take(rows)
        self._remember(rows)

    def _take(self, rows: list[dict[str, Any]]) -> None:
        self.known = opened(rows, self._process.secrets, self.known)
        self.loaded = True

    def _remember(self, rows: list[dict[str, Any]]) -> None:
        plain = orjson.dumps(rows, default=_plain, option=orjson.OPT_SORT_KEYS)
        if plain == self._kept:
            return
        sealed = self._process.secrets.seal(plain.decode(), organization=_INSTALLATION, column=_COLUMN)
        try:
            _write(self._file, sealed)
            self._kept = plain
        except OSError as error:  # a full disk costs the next start without PostgreSQL, and no sender anything
            log.error("stores_are_not_remembered", error=str(error))

    def _recall(self) -> None:
        if not self._file.exists():
            return
        try:
            text = self._process.secrets.open(self._file.read_text(), organization=_INSTALLATION, column=_COLUMN)
        except Sealed as reason:  # another installation's copy: PostgreSQL will tell
            log.warning("earlier_stores_cannot_be_read", reason=str(reason))
            return
        try:
            self._take([_thawed(row) for row in orjson.loads(text)])
        except KeyError as column:  # an earlier release's copy
            log.warning("earlier_stores_cannot_be_read", reason=f"it lacks {column}")


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):  # asyncpg's own subclass, which orjson does not know
        return str(value)
    raise TypeError(type(value).__name__)


def _thawed(row: Mapping[str, Any]) -> dict[str, Any]:
    token = row["path_token_sha256"]
    return {**row, "path_token_sha256": bytes.fromhex(token) if token else None}


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for our eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
