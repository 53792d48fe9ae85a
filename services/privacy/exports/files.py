"""Exports on disk: each sealed with a key of its own, which stands in its request's row and goes with it.

So whoever takes the file or the database alone has nothing; and a file that no process can reach any more, on a disk of
another machine, is nobody's data from the moment the row forgets its key.
"""

import base64
import os
from datetime import datetime
from pathlib import Path
from uuid import UUID

from services.kernel.secrets import Secrets

_COLUMN = "privacy_requests.export_key"
_KEY_BYTES = 32


class ExportFiles:
    """Those of one machine."""

    def __init__(self, data_directory: Path, secrets: Secrets) -> None:
        self._directory = data_directory / "exports"
        self._secrets = secrets

    def write(self, store: UUID, request: UUID, content: bytes) -> str:
        """Whole or not at all; the key, sealed, for the row."""
        key = os.urandom(_KEY_BYTES)
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(store, request)
        beside = path.with_suffix(f".{os.getpid()}")
        with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(Secrets(key).seal_bytes(content, place=_place(store, request)))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        return self._secrets.seal(base64.b64encode(key).decode(), organization=store, column=_COLUMN)

    def read(self, store: UUID, request: UUID, key: str) -> bytes | None:
        """None where the file lies on another machine, or is gone. Raises Sealed."""
        path = self._path(store, request)
        if not path.exists():
            return None
        plain = base64.b64decode(self._secrets.open(key, organization=store, column=_COLUMN))
        return Secrets(plain).open_bytes(path.read_bytes(), place=_place(store, request))

    def remove(self, store: UUID, request: UUID) -> None:
        """Also what was cut short in writing."""
        for path in self._directory.glob(f"{store}_{request}.*"):
            path.unlink(missing_ok=True)

    def written_before(self, moment: datetime) -> list[tuple[UUID, UUID]]:
        """Store and request of each file that is older, whole or not."""
        old = [path for path in self._directory.glob("*_*.*") if path.stat().st_mtime < moment.timestamp()]
        names = [path.name.partition(".")[0].split("_") for path in old]
        return [(UUID(store), UUID(request)) for store, request in names]

    def _path(self, store: UUID, request: UUID) -> Path:
        return self._directory / f"{store}_{request}.sealed"


def _place(store: UUID, request: UUID) -> str:
    return f"export/{store}/{request}"
