"""What proves a sender: Chatwoot's signature, the token at the end of a URL, and the shops' Standard Webhooks."""

import hashlib
import hmac

from services.ingress.stores import Store

PREFIX = b"sha256="
_LONGEST_TIMESTAMP = 12


def chatwoot_signature(secret: bytes, timestamp: bytes, body: bytes) -> bytes:
    """As Chatwoot 4.11.2 and later sign: the timestamp belongs to what is signed."""
    return PREFIX + hmac.digest(secret, timestamp + b"." + body, "sha256").hex().encode()


def signed_by(store: Store, timestamp: bytes, signature: bytes, body: bytes) -> bool:
    """By its current secret or the previous one."""
    return any(hmac.compare_digest(chatwoot_signature(secret, timestamp, body), signature) for secret in store.signers)


def has_path_token(store: Store, token: str) -> bool:
    """The URL of an unsigned store ends in its secret, of which only the hash is known."""
    digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    return hmac.compare_digest(digest, store.path_token_sha256 or b"")


def unix_seconds(timestamp: bytes) -> int | None:
    """None for what is no decimal time."""
    return int(timestamp) if timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP else None
