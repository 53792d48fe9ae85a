"""How much of a topic a broker keeps at most."""

from schemas.topics import MAX_MESSAGE_BYTES, PRIVACY_REQUESTS, WEBHOOKS


def test_retained_and_written_segments_together_are_the_bound() -> None:
    bounds = WEBHOOKS.overrides(min_insync_replicas=1, most_bytes=10 * 2**30)
    both = int(bounds["retention.bytes"]) + int(bounds["segment.bytes"])
    assert 0 <= 10 * 2**30 - WEBHOOKS.partitions * both < WEBHOOKS.partitions


def test_segment_has_room_for_the_largest_record() -> None:
    assert int(WEBHOOKS.overrides(min_insync_replicas=1, most_bytes=1)["segment.bytes"]) == MAX_MESSAGE_BYTES


def test_erasures_are_bounded_by_time_alone() -> None:
    bounded = PRIVACY_REQUESTS.overrides(min_insync_replicas=1, most_bytes=2**30)
    assert bounded == PRIVACY_REQUESTS.overrides(min_insync_replicas=1)
