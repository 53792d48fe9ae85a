"""Which of Kafka's answers are about a record itself: as the topic is, it is never taken, however often it is sent.

Not among them: what says that a topic, a login or a clock is wrong. That is mended, and then the record is taken.
"""

from aiokafka import errors

_INVALID_RECORD = 87


class InvalidRecord(errors.BrokerResponseError):  # type: ignore[misc]
    """The broker validates and refuses it, as a record without a key in a compacted topic."""

    errno = _INVALID_RECORD
    message = "INVALID_RECORD"
    description = "The broker has found the record to be invalid."


# aiokafka 0.14 does not know this answer, and calls it an unknown error.
errors.kafka_errors.setdefault(_INVALID_RECORD, InvalidRecord)

_FOR_GOOD = (
    InvalidRecord,
    errors.CorruptRecordException,
    errors.MessageSizeTooLargeError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
    errors.RecordTooLargeError,
)


class NeverTaken(Exception):
    """Kafka refuses this record for good, as its topic is."""


def refused_for_good(error: BaseException) -> bool:
    """Whether the answer is about the record, if it was alone, or about one among those that it was sent with."""
    return isinstance(error, _FOR_GOOD)
