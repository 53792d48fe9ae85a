"""A sealed record: its value and key encrypted together, in its header the tree and the names that open it.

`sealed` is `{tree}.{name}.{name}…` in hexadecimal; a name is 40 bits of a keyed hash. Bound to it are topic, store, id,
event and moment of receipt: none can be put in front of another record's value.
"""

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.errors import Invalid
from services.kernel.record import SEALED, Record

_NONCE_BYTES = 12
_KEY_LENGTH = struct.Struct(">I")
_BOUND = ("store", "id", "event", "received-at", SEALED)
_FORM = re.compile(r"[0-9a-f]{32}(\.[0-9a-f]{10}){0,8}")
_PERSON = b"wootstream seal"  # BLAKE2b's own word for what a key is made for


class SealHeader(NamedTuple):
    """Which tree, and whose keys of it."""

    tree: UUID
    names: tuple[int, ...]

    def written(self) -> bytes:
        return ".".join((self.tree.hex, *(f"{name:010x}" for name in self.names))).encode()


def header_of(record: Record) -> SealHeader:
    """Raises Invalid."""
    text = record.header(SEALED) or ""
    if not _FORM.fullmatch(text):
        raise Invalid("its seal is none of ours")
    tree, *names = text.split(".")
    return SealHeader(UUID(tree), tuple(int(name, 16) for name in names))


def sealed(record: Record, header: SealHeader, joined_keys: bytes, *, key: bytes) -> Record:
    """The record as it leaves the door; `key` stands in place of its own and tells nobody whose it is."""
    one = Record(record.topic, key, b"", ((SEALED, header.written()), *record.headers))
    nonce, own = os.urandom(_NONCE_BYTES), record.key or b""
    plain = _KEY_LENGTH.pack(len(own)) + own + record.value
    one.value = nonce + _cipher(joined_keys).encrypt(nonce, plain, _bound(one))
    return one


def opened(record: Record, joined_keys: bytes) -> tuple[bytes, bytes]:
    """Key and value as the door took them. Raises Invalid for what was changed or moved."""
    try:
        plain = _cipher(joined_keys).decrypt(record.value[:_NONCE_BYTES], record.value[_NONCE_BYTES:], _bound(record))
        (length,) = _KEY_LENGTH.unpack_from(plain)
    except (InvalidTag, ValueError, struct.error) as cause:
        raise Invalid("its seal does not fit: it was changed, or put in front of another record") from cause
    begin = _KEY_LENGTH.size + length
    return plain[_KEY_LENGTH.size : begin], plain[begin:]


def _cipher(joined_keys: bytes) -> AESGCM:
    return AESGCM(hashlib.blake2b(joined_keys, digest_size=32, person=_PERSON).digest())


def _bound(record: Record) -> bytes:
    return "\0".join((record.topic, *(record.header(name) or "" for name in _BOUND))).encode()


def names_of(digests: Sequence[bytes]) -> tuple[int, ...]:
    """The trees' names of the keyed hashes of people's names."""
    return tuple(int.from_bytes(digest[:5]) for digest in digests)
