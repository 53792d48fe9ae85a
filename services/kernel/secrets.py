"""Secrets at rest: AES-256-GCM, bound to store and column, so that a ciphertext cannot be moved to another place."""

import base64
import hashlib
import hmac
import os
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.errors import Sealed, Stop
from services.kernel.settings import Settings

_NONCE_BYTES = 12
_KEY_BYTES = 32


class Secrets:
    """Seals and opens with the installation key; the key's id travels with each ciphertext."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise Stop("the installation key must be base64 of 32 bytes; make one with: openssl rand -base64 32")
        self._cipher = AESGCM(key)
        self._key = key
        self._key_id = hashlib.sha256(key).hexdigest()[:8]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for this purpose alone, the same in every process of the installation."""
        return hmac.digest(self._key, f"wootstream/{purpose}".encode(), "sha256")

    def seal(self, text: str, *, organization: UUID, column: str) -> str:
        """`v1.<key id>.<base64 of nonce and ciphertext>`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), _place(organization, column))
        return f"v1.{self._key_id}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *, organization: UUID, column: str) -> str:
        """Raises Sealed when the installation key is not the one that sealed it, or the text was moved or changed."""
        try:
            _version, _key_id, text = sealed.split(".", 2)
            raw = base64.b64decode(text)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _place(organization, column))
        except (ValueError, InvalidTag) as cause:
            raise Sealed(f"{column} of store {organization} cannot be opened with this installation key") from cause
        return opened.decode()

    @property
    def key_id(self) -> str:
        """Tells installation keys apart without telling the key."""
        return self._key_id

    def seal_bytes(self, data: bytes, *, place: str) -> bytes:
        """Nonce and ciphertext, for files of our own; `open_bytes` wants the same place."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, place.encode())

    def open_bytes(self, sealed: bytes, *, place: str) -> bytes:
        """Raises Sealed when another key sealed it, or when it was moved, changed or cut short."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (ValueError, InvalidTag) as cause:
            raise Sealed(f"what was sealed for {place} cannot be opened with this installation key") from cause


def _place(organization: UUID, column: str) -> bytes:
    return f"{organization}/{column}".encode()


def load_secrets(settings: Settings) -> Secrets:
    """Take the installation key from the environment or its file; the local stack makes one in its data directory."""
    if settings.installation_key:
        return Secrets(_decode(settings.installation_key.get_secret_value()))
    if settings.installation_key_file:
        return Secrets(_decode(_given_key(settings.installation_key_file)))
    return Secrets(_decode(_local_key(settings.data_directory / "installation.key")))


def _given_key(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as cause:
        raise Stop(f"WOOTSTREAM_INSTALLATION_KEY_FILE={path} cannot be read: {cause.strerror}") from cause


def _local_key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)).decode())
    except FileExistsError:
        pass  # made earlier, by us or by a process that started beside us
    return path.read_text()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError as cause:
        raise Stop("the installation key is no base64; make one with: openssl rand -base64 32") from cause
