"""The probe: settles an odd position by comparing the ledger with the log itself, outside the batch's transaction."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from db import ledger
from db.ledger import Place
from services.kernel.errors import Retryable
from services.kernel.process import Process
from services.kernel.record import Record
from services.kernel.topics import client_options

_DEADLINE_SECONDS = 10.0
_FETCH_MS = 200


@dataclass(frozen=True, slots=True)
class Settled:
    """What to do with a partition: go on, after a seek if there is one, or halt for a reason a person must settle."""

    seek: int | None = None
    halt: str | None = None
    how: str | None = None


class Probe:
    """Asks the log through a consumer of its own, so that nobody's position moves."""

    def __init__(self, process: Process, group: str, topic: str) -> None:
        self._process = process
        self._group = group
        self._topic = topic
        self._fetcher: Any = None

    async def settle(self, consumer: Any, partition: int, *, in_hand: int | None = None) -> Settled:
        """The table of odd positions. `in_hand` is the offset of the first record that the handler still holds: what it
        holds is not lost, even if the log lost it meanwhile. Raises Retryable when Kafka does not answer in time."""
        tp = TopicPartition(self._topic, partition)
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                begin = (await consumer.beginning_offsets([tp]))[tp]
                end = (await consumer.end_offsets([tp]))[tp]
                place = await self._place(partition, begin)
                if halt := await self._another_log(place, begin, end):
                    return Settled(halt=halt, how="halted")
                kept_from = begin if in_hand is None else min(begin, max(in_hand, place.next_offset))
                if kept_from > place.next_offset:
                    return await self._skip(place, lost=kept_from - place.next_offset, go_on=kept_from == in_hand)
                at = await consumer.position(tp) if in_hand is None else in_hand
                return await self._compare(place, at, end)
        except TimeoutError as late:
            raise Retryable("Kafka does not tell where the log begins and ends") from late

    async def _place(self, partition: int, begin: int) -> Place:
        """The ledger's row; at first sight it is made, counting from where the log begins."""
        async with self._process.pool().acquire(timeout=10) as conn:
            while partition not in (found := await ledger.look(conn, self._group, self._topic, [partition])):
                await ledger.begin(
                    conn,
                    self._group,
                    self._topic,
                    partition,
                    cluster_id=self._process.cluster_id,
                    offset=begin,
                )
        return found[partition]

    async def _another_log(self, place: Place, begin: int, end: int) -> str | None:
        where = f"--group {self._group} --topic {self._topic} --partition {place.partition}"
        cure = f"see `wootstream offsets show`, then `wootstream offsets adopt {where}`"
        if place.cluster_id != self._process.cluster_id:
            return f"the ledger belongs to another Kafka cluster ({place.cluster_id}); {cure}"
        if end < place.next_offset:
            return f"the log ends at {end}, below {place.next_offset}: the topic was made again or truncated; {cure}"
        if place.anchor_offset is not None and place.anchor_offset >= begin:
            there = await self._first(place.partition, place.anchor_offset, end)
            if there is None or there.offset != place.anchor_offset or there.identity != place.anchor_id:
                return f"another record stands at offset {place.anchor_offset}: the topic was made again; {cure}"
        return None

    async def _compare(self, place: Place, position: int, end: int) -> Settled:
        if position < place.next_offset:
            return Settled(seek=place.next_offset, how="seek-forward")
        if position == place.next_offset:
            return Settled()
        there = await self._first(place.partition, place.next_offset, end)
        if there is not None and there.offset == place.next_offset:
            return Settled(seek=place.next_offset, how="seek-back")
        return await self._skip(place, hollow=min(position, there.offset if there else end) - place.next_offset)

    async def _skip(self, place: Place, *, lost: int = 0, hollow: int = 0, go_on: bool = False) -> Settled:
        async with self._process.pool().acquire(timeout=10) as conn, conn.transaction():
            if await ledger.skip(conn, self._group, self._topic, place, lost=lost, hollow=hollow) and lost:
                self._process.metrics.lost.labels(self._group, self._topic).inc(lost)
        seek = place.next_offset + lost if lost and not go_on else None
        return Settled(seek=seek, how="lost" if lost else "hollow")

    async def _first(self, partition: int, offset: int, end: int) -> Record | None:
        """The first record at or after `offset`, or None when nothing follows up to `end`."""
        tp = TopicPartition(self._topic, partition)
        if self._fetcher is None:
            self._fetcher = AIOKafkaConsumer(
                **client_options(self._process.settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
            )
            await self._fetcher.start()
        self._fetcher.assign([tp])
        self._fetcher.seek(tp, offset)
        while await self._fetcher.position(tp) < end:
            found = await self._fetcher.getmany(tp, timeout_ms=_FETCH_MS, max_records=1)
            if found.get(tp):
                return Record.consumed(found[tp][0])
        return None

    async def stop(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.stop()


async def position(consumer: Any, tp: TopicPartition) -> int | None:
    """The next offset to be fetched, or None when the partition is no longer ours."""
    try:
        return int(await consumer.position(tp))
    except IllegalStateError:
        return None
