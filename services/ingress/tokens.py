"""The beacon token: whose page, which session, and which customer if the shop vouched for one; until when."""

import base64
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import orjson

from schemas.beacons import TOKEN_CHARACTERS
from schemas.vouching import MOST_SECONDS_AHEAD, proof

TOKEN_SECONDS = 2 * 3600  # a stolen one is worth no more; `token_expires` tells a page when to ask for the next
SESSION = re.compile(r"[A-Za-z0-9_-]{16,64}")
LONGEST_CUSTOMER = 255
_REMEMBERED = 10_000
_MAC_BYTES = 32


class Claims(NamedTuple):
    """What a token says; `expires` in Unix seconds."""

    store: UUID
    origin: str
    session: str
    customer: str | None
    expires: int


class Tokens:
    """Makes tokens with the first of the keys that every ingress of the installation has, and opens them with any."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        # A page sends the same token again and again.
        self._opened = lru_cache(maxsize=_REMEMBERED)(self._open)

    def make(self, claims: Claims) -> str:
        packed = orjson.dumps([claims.store.hex, *claims[1:]])
        return _text(_mac(self._keys[0], packed) + packed)

    def open(self, token: str, now: datetime) -> Claims | None:
        """None for what we did not make, and after its time."""
        if len(token) > TOKEN_CHARACTERS:  # no need to remember that it is none of ours
            return None
        claims = self._opened(token)
        return claims if claims and claims.expires > now.timestamp() else None

    def _open(self, token: str) -> Claims | None:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if _text(raw) != token:  # as we write it and no other way: bits beyond the last byte, `+` and `/`
            return None
        mac, packed = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(key, packed)) for key in self._keys):
            return None
        store, *rest = orjson.loads(packed)
        return Claims(UUID(store), *rest)


def _mac(key: bytes, packed: bytes) -> bytes:
    return hmac.digest(key, packed, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def vouched(secrets: Iterable[str], customer: str, expires: str, shown: str, now: datetime) -> bool:
    """Whether the shop says, with any of its secrets, that this is its customer; see schemas.vouching."""
    if not (0 < len(customer) <= LONGEST_CUSTOMER and expires.isascii() and expires.isdigit()):
        return False
    if len(expires) > len(str(MOST_SECONDS_AHEAD + int(now.timestamp()))):
        return False
    if not 0 < int(expires) - now.timestamp() <= MOST_SECONDS_AHEAD:
        return False
    return any(_vouched_with(one, customer, int(expires), shown) for one in secrets)


def _vouched_with(secret: str, customer: str, expires: int, shown: str) -> bool:
    try:
        return hmac.compare_digest(proof(secret, customer, expires).encode(), shown.encode())
    except ValueError:  # the store's secret is no base64: nobody can vouch with it
        return False
