"""Acceptance: a record is kept, on every replica or in the spool, before anybody is answered 2xx."""

from services.kernel import Publisher, Record, Retryable


class NoRoom(Exception):
    """Neither Kafka nor the spool can take it now: the sender gets 503 and the reason is in /ready."""


class Acceptance:
    """Where the doors hand in what they verified."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def keep(self, record: Record) -> None:
        """Return once the record is durable. Raises NoRoom."""
        try:
            await self._publisher.publish(record)
        except Retryable as away:
            raise NoRoom(str(away)) from away
