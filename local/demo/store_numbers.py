"""What the demo tells at its end, from the services' own metrics and the database."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from db.address import read
from services.kernel.settings import Settings

_ROWS = """
select s.organization_id::text as id, s.slug,
  (select count(*) from public.chatwoot_conversations c where c.organization_id = s.organization_id) as conversations,
  (select percentile_cont(0.5) within group (order by e.value) from wootstream.chatwoot_reporting_events e
   where e.organization_id = s.organization_id and e.name = 'first_response') as first_response,
  (select count(*) from wootstream.orders o where o.organization_id = s.organization_id) as orders
from public.chatwoot_accounts s where s.slug = any ($1::text[]) order by s.slug
"""
_DUE = "select count(*) from wootstream.due where not_before <= now()"


@dataclass(frozen=True, slots=True)
class StoreNumbers:
    """One store: what this run brought; conversations, first response (median, seconds) and orders of all runs."""

    store: str
    accepted: int
    stored: int
    duplicates: int
    ignored: int
    dead: int
    conversations: int
    first_response: float | None
    orders: int
    calls_sent: int
    calls_saved: int


async def by_store(client: httpx.AsyncClient, settings: Settings, slugs: list[str]) -> list[StoreNumbers]:
    """Ask the running services and the database, as its administrator."""
    text = (await client.get("/metrics")).text
    accepted = _counted(text, "wootstream_accepted", "store")
    records = _counted(text, "wootstream_records", "store", "outcome")
    calls = _counted(text, "wootstream_contacts_calls", "store", "outcome")
    conn = await _connect(settings)
    try:
        rows = await conn.fetch(_ROWS, slugs)
    finally:
        await conn.close()
    return [
        StoreNumbers(
            store=row["slug"],
            accepted=accepted[row["id"],],
            stored=records[row["id"], "applied"],
            duplicates=records[row["id"], "duplicate"],
            ignored=records[row["id"], "ignored"],
            dead=records[row["id"], "dead"],
            conversations=row["conversations"],
            first_response=row["first_response"],
            orders=row["orders"],
            calls_sent=calls[row["id"], "sent"],
            calls_saved=calls[row["id"], "saved"],
        )
        for row in rows
    ]


async def people_due(settings: Settings) -> int:
    """How many people Chatwoot is still to be told of, now."""
    conn = await _connect(settings)
    try:
        return int(await conn.fetchval(_DUE))
    finally:
        await conn.close()


def memory(pids: Mapping[str, int]) -> dict[str, int]:
    """Resident bytes of each process."""
    return {name: int(psutil.Process(pid).memory_info().rss) for name, pid in pids.items()}


async def _connect(settings: Settings) -> Any:
    assert settings.database_url
    return await asyncpg.connect(**read(settings.database_url.get_secret_value()).arguments(), timeout=10)


def _counted(text: str, name: str, *labels: str) -> Counter[tuple[str, ...]]:
    """A counter by these labels, the others added up."""
    found: Counter[tuple[str, ...]] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name == name:
            for sample in family.samples:
                if sample.name == f"{name}_total":
                    found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return found
