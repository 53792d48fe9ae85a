"""Publishing many records in a test, as patiently as the client is: what is not acknowledged is a fault of the test."""

from collections.abc import Sequence

from services.kernel import Publisher, Record

_AT_ONCE = 100  # so that none waits for the others past its own deadline


async def publish_all(publisher: Publisher, records: Sequence[Record]) -> list[tuple[int, int]]:
    """Partition and offset of each, once every replica has all of them. Raises what became of the first that failed."""
    places: list[tuple[int, int]] = []
    for start in range(0, len(records), _AT_ONCE):
        for one in await publisher.publish_all(records[start : start + _AT_ONCE]):
            if isinstance(one, Exception):
                raise one
            places.append(one)
    return places
