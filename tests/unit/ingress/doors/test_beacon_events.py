"""What of a page's event lies in the topic."""

from schemas.beacons import Beacon
from services.ingress.doors.beacon_events import KnownVisitor, row


def test_an_address_that_is_empty_is_none() -> None:
    event = Beacon.model_validate(
        {
            "id": "0190b5b8-0000-7000-8000-000000000000",
            "event_type": "page_viewed",
            "page_url": "",
            "referrer": "https://a/b?c",
        }
    )
    kept = row(event, KnownVisitor("s"))
    assert (kept.page_url, kept.referrer, kept.session_id) == (None, "https://a/b", "s")
