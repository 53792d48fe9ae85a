"""Publishing many records in a test: a hundred at a time, so that none waits for the others past its own deadline."""

import asyncio
from collections.abc import Sequence

from services.kernel import Publisher, Record

_AT_ONCE = 100


async def publish_all(publisher: Publisher, records: Sequence[Record]) -> None:
    """Return when every replica has all of them. Raises Retryable."""
    for start in range(0, len(records), _AT_ONCE):
        await asyncio.gather(*map(publisher.publish, records[start : start + _AT_ONCE]))
