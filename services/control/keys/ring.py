"""The keys as they stand in their file, the one that seals first: a new one is added behind, then put in front."""

import base64
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from services.kernel.errors import Refusal
from services.kernel.secrets import key_file, key_id, new_key, read_keys
from services.kernel.settings import Settings


def add(settings: Settings) -> tuple[str, str | None]:
    """The new key's id, and the key itself where it could not be put into a file: it is told this once."""
    keys, text = read_keys(settings), new_key()
    added = _id(text)
    path = key_file(settings)
    if path is None or not os.access(path.resolve().parent, os.W_OK):
        return added, text
    _write(path.resolve(), [*_texts(path), text])
    return added, None if len(read_keys(settings)) == len(keys) + 1 else text


def put_first(settings: Settings, wanted: str) -> None:
    """From now on this key seals. Raises Refusal where there is no such key, or its place is not ours to change."""
    known = [key_id(one) for one in read_keys(settings)]
    if wanted not in known:
        raise Refusal(f"there is no key {wanted}; there are: {', '.join(known)}")
    if wanted == known[0]:
        return
    path = key_file(settings)
    if path is None:
        raise Refusal(f"put key {wanted} first in WOOTSTREAM_INSTALLATION_KEY, restart every process and say it again")
    try:
        _write(path.resolve(), sorted(_texts(path), key=lambda text: _id(text) != wanted))
    except OSError as error:
        raise Refusal(f"put key {wanted} first in {path}, which cannot be written here ({error.strerror})") from error


def _texts(path: Path) -> Sequence[str]:
    return path.read_text().replace(",", " ").split()


def _id(text: str) -> str:
    return key_id(base64.b64decode(text))


def _write(path: Path, texts: Sequence[str]) -> None:
    """Whole or not at all, for the same eyes as before."""
    beside = path.with_suffix(f".{os.getpid()}")
    with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write("\n".join(texts) + "\n")
        file.flush()
        os.fsync(file.fileno())
    shutil.copymode(path, beside)
    with suppress(PermissionError):  # another account's file, which we may write: it becomes ours
        os.chown(beside, path.stat().st_uid, path.stat().st_gid)
    beside.replace(path)
