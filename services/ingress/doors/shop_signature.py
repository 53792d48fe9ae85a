"""What proves a shop: Standard Webhooks' three headers, over a body or, where a request has none, over its query."""

from datetime import datetime

from services.ingress.doors.refusals import Reason, Refused
from services.ingress.doors.request import RequestHeaders
from services.ingress.signatures import signed_as_standard, unix_seconds
from services.ingress.stores.store import Store

MESSAGE_ID = b"webhook-id"
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
