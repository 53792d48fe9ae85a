"""The sink table, and what it shows: acknowledged but not stored is lost, one offset twice is doubled."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from schemas.topics import Topic
from services.kernel.kafka.topics import ensure_topics
from tests.chaos.installation import Installation
from tests.chaos.processes import Worker
from tests.services.conversations.bench import attach

_TABLE = """
create table wootstream.{name} (
  partition integer not null, record_offset bigint not null, digest text not null, writer integer not null,
  at timestamptz not null default clock_timestamp()
);
grant select, insert on wootstream.{name} to wootstream_service;
"""
_STANDSTILL = """
select coalesce(extract(epoch from max(gap)), 0)::float8 from (
  select at - lag(at) over (partition by partition order by at) as gap, at from wootstream.{name}
) as s where at > $1 and at - gap < $2
"""


@dataclass(frozen=True)
class Told:
    """What became of the records that Kafka acknowledged."""

    stored: int
    lost: int
    doubled: int
    redelivered: int


@dataclass
class Sink:
    """One topic's sink in one installation, filled by the group of the same name."""

    installation: Installation
    name: str
    topic: Topic
    store: UUID = field(default_factory=uuid4)

    async def make(self) -> None:
        """The table, the topic if it is absent, and a store for records that belong to nobody else."""
        await ensure_topics(self.installation.settings, [self.topic])
        async with self.installation.admin() as conn:
            await conn.execute(_TABLE.format(name=self.name))
            await attach(conn, self.store, account=1)

    def worker(self, number: int, *services: str, static: bool = False) -> Worker:
        """A process that fills the sink and runs these services, as a static member of its groups if so wanted."""
        settings = self.installation.settings
        command = ("tests.chaos.consuming", self.name, self.topic.name, *services)
        return Worker(
            command,
            settings,
            settings.data_directory / f"{self.name}-{number}.log",
            f"worker-{number}" if static else None,
        )

    @asynccontextmanager
    async def asked_often(self) -> AsyncIterator["Sink"]:
        """The same, asked over one connection: for who waits while nobody kills PostgreSQL."""
        async with self.installation.kept() as installation:
            yield replace(self, installation=installation)

    async def counts(self) -> dict[str, int]:
        """The group's ledger, all partitions together."""
        async with self.installation.admin() as conn:
            row = await conn.fetchrow(
                "select coalesce(sum(applied), 0)::int as applied, coalesce(sum(redelivered), 0)::int as redelivered,"
                " coalesce(sum(next_offset - first_offset), 0)::int as settled"
                " from wootstream.ledger where consumer_group = $1 and topic = $2",
                *(self.name, self.topic.name),
            )
        return dict(row)

    async def positions(self) -> dict[int, int]:
        """Partition → the offset that the ledger waits for."""
        async with self.installation.admin() as conn:
            rows = await conn.fetch(
                "select partition, next_offset from wootstream.ledger where consumer_group = $1", self.name
            )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def told(self, acknowledged: Counter[str]) -> Told:
        """Hold the table against the acknowledged digests, and the ledger against the table."""
        async with self.installation.admin() as conn:
            rows = await conn.fetch(f"select digest, count(*) from wootstream.{self.name} group by 1")  # noqa: S608
            stored = Counter({row["digest"]: row["count"] for row in rows})
            distinct = await conn.fetchval(
                f"select count(*) from (select distinct partition, record_offset from wootstream.{self.name}) as s"  # noqa: S608
            )
        counts = await self.counts()
        assert counts["applied"] == counts["settled"] == distinct
        lost = (acknowledged - stored).total()
        return Told(stored.total(), lost, stored.total() - distinct, counts["redelivered"])

    async def standstill(self, begin: datetime, end: datetime) -> float:
        """Seconds: the longest time in which some partition stored nothing, of those that reach into these moments."""
        async with self.installation.admin() as conn:
            return float(await conn.fetchval(_STANDSTILL.format(name=self.name), begin, end))

    async def rows(self, condition: str, *args: Any) -> int:
        async with self.installation.admin() as conn:
            return int(await conn.fetchval(f"select count(*) from wootstream.{self.name} where {condition}", *args))  # noqa: S608
