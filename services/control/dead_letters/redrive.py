"""`dead-letters redrive`: send records again as they were accepted, once what refused them is mended.

Every group sees a record again, not only the one that set it aside: who has it already counts a duplicate, as after any
repetition. So a record is sent once however many groups had refused it and however often, and all letters about it are
settled; else each round would double those that still fail.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Row
from db.records import dead_letters
from db.records.dead_letters import LetterFilter
from services.control.dead_letters.scope import Advance, Scope, scope, slices
from services.control.ledger.topic_logs import first_records, look
from services.kernel import Clock, Publisher, Record, Settings
from services.kernel.actor import note
from services.kernel.errors import Stop, describe
from services.kernel.publishing.verdicts import refused_for_good
from services.kernel.record import Headers

_CONNECT_SECONDS = 20.0  # as long as the audit's look at Kafka may take


@dataclass(slots=True)
class Redriven:
    """What became of the letters asked for."""

    sent: int = 0  # letters whose record is in the topic again
    gone: int = 0  # letters that only the topic had the bytes of, and it has them no longer: they stay
    refused: int = 0  # letters whose record Kafka refuses for good, as the topic is: they stay


async def redrive(
    settings: Settings, wanted: LetterFilter, *, store: str | None, limit: int | None, advance: Advance
) -> Redriven:
    """Send the wanted letters' records again, oldest first. Raises Stop when Kafka does not take them.

    A record is marked only once every replica has it, so whatever dies in between costs a repetition, never a record.
    """
    result = Redriven()
    async with scope(settings, wanted, store) as ours:
        async with ours.transaction() as conn:
            chosen = await dead_letters.chosen(conn, ours.wanted, limit=limit)
        publisher = await _connected(settings) if chosen else None
        try:
            for part in slices(chosen):
                assert publisher is not None
                await _redrive(settings, ours, publisher, part, result)
                advance(result.sent + result.gone + result.refused, len(chosen))
        finally:
            if publisher:
                await publisher.stop()
    return result


async def _connected(settings: Settings) -> Publisher:
    publisher = Publisher(settings, Clock())
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await publisher.connect()
    except TimeoutError as late:
        raise Stop(f"Kafka does not answer ({publisher.trouble}): nothing was sent") from late
    return publisher


async def _redrive(settings: Settings, ours: Scope, publisher: Publisher, ids: Sequence[int], result: Redriven) -> None:
    async with ours.transaction() as conn:
        rows = await dead_letters.open_ones(conn, ids)
        records = await _records(settings, rows)
        away, sent, refused = await _send(publisher, records)
        await dead_letters.mark_redriven(conn, [row["id"] for row in rows if row["id"] in sent])
        await note(conn, "dead-letters redrive", store=ours.wanted.store, thing=f"{len(sent)} dead letters")
    result.sent += len(sent)
    result.gone += len(rows) - len(records)
    result.refused += refused
    if away:
        raise Stop(
            f"Kafka did not take all of them ({describe(away)}): {result.sent} were sent again, the others wait; "
            "repeat the command when Kafka is well"
        )


async def _send(publisher: Publisher, records: dict[int, Record]) -> tuple[Exception | None, set[int], int]:
    """Send each record once, however many letters it has.

    Answers why Kafka is not well, if so, the letters settled, and how many Kafka refuses for good.
    """
    letters: dict[tuple[object, ...], list[int]] = {}
    for number, one in records.items():
        # The id where there is one; a record that never had one is known by its place in the log.
        letters.setdefault((one.topic, one.id or (one.partition, one.offset), one.value), []).append(number)
    outcomes = await publisher.publish_all([records[numbers[0]] for numbers in letters.values()])
    away: Exception | None = None
    sent: set[int] = set()
    refused = 0
    for numbers, outcome in zip(letters.values(), outcomes, strict=True):
        if not isinstance(outcome, Exception):
            sent.update(numbers)
        elif refused_for_good(outcome):
            refused += len(numbers)
        else:
            away = away or outcome
    return away, sent, refused


async def _records(settings: Settings, rows: Sequence[Row]) -> dict[int, Record]:
    """The record of each letter that can still be had, by the letter's number."""
    kept = {row["id"]: _record(row, row["record_key"], row["record_value"], _headers(row)) for row in rows
            if row["record_value"] is not None}  # fmt: skip
    return kept | await _from_topic(settings, [row for row in rows if row["record_value"] is None])


async def _from_topic(settings: Settings, rows: Sequence[Row]) -> dict[int, Record]:
    """Beyond the store's cap only the position was kept; the record there must still be the same one."""
    if not rows:
        return {}
    cluster = await look(settings, {row["topic"] for row in rows})
    places = {row["id"]: ((row["topic"], row["partition"]), row["record_offset"]) for row in rows}
    found = await first_records(settings, set(places.values()), cluster)
    records = {}
    for row in rows:
        there = found.get(places[row["id"]])
        if there and there.offset == row["record_offset"] and _same(there, row):
            records[row["id"]] = _record(row, there.key, there.value, there.headers)
    return records


def _same(there: Record, row: Row) -> bool:
    first = next((text for name, text in row["record_headers"] if name == "id"), None)
    return (there.id, len(there.value)) == (first, row["value_bytes"])


def _headers(row: Row) -> Headers:
    """Those that the letter kept, as text, in their order, each as often as it came."""
    return tuple((name, text.encode()) for name, text in row["record_headers"])


def _record(row: Row, key: bytes | None, value: bytes, headers: Headers) -> Record:
    """As it was accepted, id and time of receipt too; only where it comes from now is told anew."""
    place = {"partition": row["partition"], "offset": row["record_offset"]}
    return Record(row["topic"], key, value, headers, **place).coming_from("redrive")
