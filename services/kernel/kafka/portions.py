"""What a consumer is handed at a time, bounded in bytes: 500 bodies of 4 MiB that compress well are 2 GB unfolded.

They lie in Kafka, and in a fetch, as some hundred bytes each: no bound on either says anything of the memory they take.
"""

from typing import Any

from aiokafka.consumer import fetcher

# Of one partition; and always one record. An ordinary batch of 500 has half of it.
MOST_BYTES = 2 * 1024**2


def hand_out_in_portions() -> None:
    """Let every consumer of this process do so; the client bounds the number of records alone."""
    fetcher.FetchResult = _Portions


class _Portions(fetcher.FetchResult):  # type: ignore[misc]
    """What a fetch brought of one partition, unfolded as it is handed out."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        portion: list[Any] = []
        left = MOST_BYTES
        for record in self._partition_records:
            portion.append(record)
            left -= len(record.value or b"")
            if left <= 0 or len(portion) == max_records:
                self._update_position()
                return portion
        self._update_position()
        self._partition_records = None
        return portion
