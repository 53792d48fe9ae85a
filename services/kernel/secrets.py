"""Secrets at rest: AES-256-GCM, bound to store and column, so that a ciphertext cannot be moved to another place.

An installation has one key that seals and any number of others that open: `WOOTSTREAM_INSTALLATION_KEY` has them
separated by commas, a file one a line, the one that seals first.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.errors import Sealed, Stop
from services.kernel.settings import Settings

_NONCE_BYTES = 12  # what GCM takes without hashing it first (NIST SP 800-38D, 8.2)
_KEY_BYTES = 32
_MAKE_ONE = "make one with: openssl rand -base64 32"


class _Key:
    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise Stop(f"an installation key must be base64 of 32 bytes; {_MAKE_ONE}")
        self.cipher = AESGCM(key)
        self.bytes = key
        self.id = key_id(key)


class Secrets:
    """Seals with one installation key and opens with all; the key's id travels with each ciphertext.

    `again` reads the keys anew where one sealed that was added since; which key seals stays as it was.
    """

    def __init__(self, key: bytes, *older: bytes, again: Callable[[], Sequence[bytes]] = tuple) -> None:
        self._current = _Key(key)
        self._keys: dict[str, _Key] = {self._current.id: self._current}
        self._again = again
        self._learn(older)

    @property
    def key_id(self) -> str:
        """Tells installation keys apart without telling the key: this one seals."""
        return self._current.id

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All that open, the one that seals first."""
        return tuple(self._keys)

    def knows(self, key: str) -> bool:
        """Whether what this key sealed can be opened here."""
        return self._key(key) is not None

    def derive(self, purpose: str) -> tuple[bytes, ...]:
        """32 bytes for this purpose alone from each key, the same in every process of the installation."""
        return tuple(hmac.digest(one.bytes, f"wootstream/{purpose}".encode(), "sha256") for one in self._keys.values())

    def seal(self, text: str, *, organization: UUID, column: str) -> str:
        """`v1.<key id>.<base64 of nonce and ciphertext>`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._current.cipher.encrypt(nonce, text.encode(), _place(organization, column))
        return f"v1.{self._current.id}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *, organization: UUID, column: str) -> str:
        """Raises Sealed when no installation key of ours sealed it, or the text was moved or changed."""
        try:
            _version, used, text = sealed.split(".", 2)
            raw = base64.b64decode(text)
            if key := self._key(used):
                return key.cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _place(organization, column)).decode()
        except (ValueError, InvalidTag) as cause:
            raise Sealed(f"{column} of store {organization} cannot be opened with this installation key") from cause
        raise Sealed(f"{column} of store {organization} cannot be opened: installation key {used[:8]} sealed it")

    def seal_bytes(self, data: bytes, *, place: str) -> bytes:
        """Nonce and ciphertext, for files of our own; `open_bytes` wants the same place."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._current.cipher.encrypt(nonce, data, place.encode())

    def open_bytes(self, sealed: bytes, *, place: str) -> bytes:
        """Raises Sealed when no key of ours sealed it, or when it was moved, changed or cut short."""
        for key in self._keys.values():
            try:
                return key.cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
            except (ValueError, InvalidTag):
                continue  # it does not say which key sealed it
        raise Sealed(f"what was sealed for {place} cannot be opened with this installation key")

    def _key(self, used: str) -> _Key | None:
        if used not in self._keys:
            self._learn(self._again())
        return self._keys.get(used)

    def _learn(self, keys: Sequence[bytes]) -> None:
        for key in map(_Key, keys):
            self._keys.setdefault(key.id, key)


def key_id(key: bytes) -> str:
    # Eight digits tell keys apart; a hash of 32 random bytes tells nothing of them.
    return hashlib.sha256(key).hexdigest()[:8]


def sealed_with(sealed: str) -> str:
    """The id of the key that sealed this text; empty where it is none of ours."""
    version, _, rest = sealed.partition(".")
    return rest.partition(".")[0] if version == "v1" else ""


def _place(organization: UUID, column: str) -> bytes:
    return f"{organization}/{column}".encode()


def load_secrets(settings: Settings) -> Secrets:
    """Take the keys from the environment or their file; the local stack makes one in its data directory."""

    def again() -> Sequence[bytes]:
        try:
            return read_keys(settings)
        except Stop:  # the keys at hand go on
            return ()

    return Secrets(*read_keys(settings), again=again)


def read_keys(settings: Settings) -> list[bytes]:
    """As they stand now, the one that seals first. Raises Stop."""
    if settings.installation_key:
        text = settings.installation_key.get_secret_value()
    elif settings.installation_key_file:
        text = _given_keys(settings.installation_key_file)
    else:
        text = _local_key(settings.data_directory / "installation.key")
    keys = [_decode(one) for one in text.replace(",", " ").split()]
    if not keys:
        raise Stop(f"there is no installation key; {_MAKE_ONE}")
    return keys


def key_file(settings: Settings) -> Path | None:
    """Where the keys stand; None: the environment has them."""
    if settings.installation_key:
        return None
    return settings.installation_key_file or settings.data_directory / "installation.key"


def new_key() -> str:
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def _given_keys(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as cause:
        raise Stop(f"WOOTSTREAM_INSTALLATION_KEY_FILE={path} cannot be read: {cause.strerror}") from cause


def _local_key(path: Path) -> str:
    try:
        return _made_key(path)
    except OSError as cause:
        raise Stop(
            f"the installation key {path} cannot be made or read ({cause.strerror}): "
            "set WOOTSTREAM_INSTALLATION_KEY_FILE, or a WOOTSTREAM_DATA_DIRECTORY that can be written"
        ) from cause


def _made_key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(new_key())
    except FileExistsError:
        pass  # made earlier, by us or by a process that started beside us
    return path.read_text()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as cause:
        raise Stop(f"an installation key is no base64; {_MAKE_ONE}") from cause
