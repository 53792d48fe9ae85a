"""Many records handed to the producer at once, and what it said of each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from services.kernel.errors import Retryable
from services.kernel.record import Record

Place = tuple[int, int]  # partition and offset
Kept = Callable[[str, int, int], None]  # is told topic, partition and offset
Send = Callable[[Record], Awaitable[Any]]  # the future of aiokafka's producer; raises KafkaError

_VERDICT_SECONDS = 12.0  # twice the producer's request time-out, and a little
log = structlog.get_logger()


async def verdicts(send: Send, records: Sequence[Record], kept: Kept) -> list[Place | Exception]:
    """The place of each, or why it has none, in the order given."""

    def tell(sent: asyncio.Future[Any]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            kept(sent.result().topic, sent.result().partition, sent.result().offset)

    outcomes: list[Any] = []
    try:
        async with asyncio.timeout(_VERDICT_SECONDS):
            for record in records:
                outcome = await _handed_over(send, record)
                outcomes.append(outcome)
                if isinstance(outcome, asyncio.Future):
                    outcome.add_done_callback(tell)
                elif not isinstance(outcome, MessageSizeTooLargeError):
                    break  # the others would wait as long as this one
            if sent := [one for one in outcomes if isinstance(one, asyncio.Future)]:
                await asyncio.wait(sent)
    except TimeoutError:
        log.warning("kafka_gave_no_verdict", records=len(records))
    outcomes += [Retryable("not handed over")] * (len(records) - len(outcomes))
    return [_verdict(one) for one in outcomes]


async def _handed_over(send: Send, record: Record) -> Any:
    try:
        return await send(record)
    except KafkaError as error:
        return error


def _verdict(outcome: Any) -> Place | Exception:
    if isinstance(outcome, Exception):
        return outcome
    if not outcome.done():
        outcome.cancel()
        return Retryable("no verdict")
    error: Exception | None = outcome.exception()
    return error or (outcome.result().partition, outcome.result().offset)
