"""The stores as PostgreSQL last told them, on disk: for a start while it is away. A sealed line for each store."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import structlog

from services.kernel import Sealed
from services.kernel.secrets import Secrets, sealed_with

_COLUMN = "store"
_HASHES = ("path_token_sha256", "path_token_sha256_previous")
log = structlog.get_logger()


class StoresCopy:
    """Written whole, away from the loop, and only when a store has changed."""

    def __init__(self, file: Path, secrets: Secrets) -> None:
        self._file = file
        self._secrets = secrets
        self._lines: dict[str, bytes] = {}
        self._changed = False

    def read(self) -> Iterator[dict[str, Any]]:
        """The rows that can be opened. What another key or release wrote, PostgreSQL will tell."""
        lines = self._file.read_text(errors="replace").splitlines() if self._file.exists() else []
        unread: list[Exception] = []
        for line in lines:
            try:
                yield self._opened(line)
            except (Sealed, ValueError) as reason:
                unread.append(reason)
        if unread:
            log.warning("earlier_stores_cannot_be_read", stores=len(unread), reason=str(unread[0]))

    def _opened(self, line: str) -> dict[str, Any]:
        store, sealed = line.split(" ", 1)
        plain = self._secrets.open(sealed, organization=UUID(store), column=_COLUMN)
        row = orjson.loads(plain)
        if sealed_with(sealed) != self._secrets.key_id:
            sealed = self._secrets.seal(plain, organization=UUID(store), column=_COLUMN)
            self._changed = True
        self._lines[store] = _line(store, sealed)
        return {**row} | {name: bytes.fromhex(row[name]) for name in _HASHES if row.get(name)}

    def keep(self, row: Mapping[str, Any]) -> None:
        store, plain = str(row["organization_id"]), orjson.dumps(dict(row), default=_plain)
        sealed = self._secrets.seal(plain.decode(), organization=UUID(store), column=_COLUMN)
        self._lines[store] = _line(store, sealed)
        self._changed = True

    def drop(self, store: str) -> None:
        self._lines.pop(store, None)
        self._changed = True

    async def write(self) -> None:
        """If anything has changed. A full disk costs the next start without PostgreSQL, and no sender anything."""
        if not self._changed:
            return
        self._changed = False
        try:
            await asyncio.to_thread(_write, self._file, list(self._lines.values()))
        except OSError as error:
            self._changed = True
            log.error("stores_are_not_remembered", error=str(error))


def copy_in(data_directory: Path) -> Path:
    return data_directory / "ingress" / "stores.sealed"


def sealed_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Store and sealed row of each line that is one."""
    for line in file.read_text(errors="replace").splitlines() if file.exists() else []:
        store, _, sealed = line.partition(" ")
        if sealed.count(".") == 2:
            yield store, sealed


def reseal(file: Path, secrets: Secrets) -> None:
    """With the key that seals now; what cannot be opened stays as it is. An ingress that writes meanwhile wins."""
    while before := list(sealed_lines(file)):
        lines = [_line(store, _resealed(store, sealed, secrets)) for store, sealed in before]
        if list(sealed_lines(file)) == before:
            _write(file, lines)
            return


def _resealed(store: str, sealed: str, secrets: Secrets) -> str:
    if sealed_with(sealed) == secrets.key_id:
        return sealed
    try:
        plain = secrets.open(sealed, organization=UUID(store), column=_COLUMN)
    except (Sealed, ValueError):
        return sealed
    return secrets.seal(plain, organization=UUID(store), column=_COLUMN)


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):  # asyncpg's own subclass, which orjson does not know
        return str(value)
    raise TypeError(type(value).__name__)


def _line(store: str, sealed: str) -> bytes:
    return f"{store} {sealed}\n".encode()


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Whole or not at all, and for our eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
