"""What proves a shop: Standard Webhooks' three headers, over a body or, where a request has none, over its query."""

import base64
import hmac
from collections.abc import Iterable
from datetime import datetime

from services.ingress.doors.refusals import Reason, Refused
from services.ingress.doors.request import RequestHeaders
from services.ingress.signatures import unix_seconds
from services.ingress.stores.store import Store

MESSAGE_ID = b"webhook-id"
STANDARD_PREFIX = b"v1,"
# A sender that rotates its secret signs with two; nobody has more reasons than these.
_MOST_SIGNATURES = 16
_SIGNED = (MESSAGE_ID, b"webhook-timestamp", b"webhook-signature")


def verify_standard(store: Store, given: RequestHeaders, content: bytes, now: datetime, skew_seconds: int) -> None:
    """Raises Refused; a store that does not exist fails where a wrong signature does."""
    name, timestamp, signatures = (given.get(one, b"") for one in _SIGNED)
    if not (name and timestamp and signatures):
        raise Refused(Reason.UNSIGNED if store.slug else Reason.UNKNOWN_STORE)
    if not signed_as_standard(store.event_keys, name, timestamp, content, signatures):
        raise Refused(Reason.BAD_SIGNATURE if store.slug else Reason.UNKNOWN_STORE)
    at = unix_seconds(timestamp)
    if at is None or abs(now.timestamp() - at) > skew_seconds:
        raise Refused(Reason.SKEWED)


def signed_as_standard(keys: Iterable[bytes], name: bytes, timestamp: bytes, body: bytes, signatures: bytes) -> bool:
    """By any of the keys, in any of the signatures that Standard Webhooks let stand in one header, spaces between.

    What is of another version, or damaged, proves nothing, and takes nothing from a right one beside it.
    """
    given = signatures.split(b" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]
    signed = b".".join((name, timestamp, body))
    for key in keys:
        right = STANDARD_PREFIX + base64.b64encode(hmac.digest(key, signed, "sha256"))
        if any(hmac.compare_digest(right, one) for one in given):
            return True
    return False
