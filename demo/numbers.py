"""What the demo tells at its end: a line for each store, from the services' own metrics and the database."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

_ROWS = """
select s.organization_id, s.slug,
  (select count(*) from public.chatwoot_conversations c where c.organization_id = s.organization_id) as conversations,
  (select percentile_cont(0.5) within group (order by e.value) from wootstream.chatwoot_reporting_events e
   where e.organization_id = s.organization_id and e.name = 'first_response') as first_response,
  (select count(*) from wootstream.orders o where o.organization_id = s.organization_id) as orders
from public.chatwoot_accounts s where s.slug = any ($1::text[]) order by s.slug
"""
Counts = Mapping[tuple[str, str], float]  # (store, outcome) → how many


@dataclass(frozen=True, slots=True)
class StoreNumbers:
    """One store in this run; conversations, first response (median, in seconds) and orders of all runs."""

    slug: str
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


async def by_store(client: httpx.AsyncClient, database_url: str, slugs: list[str]) -> list[StoreNumbers]:
    """Ask the running services and the database, as its administrator."""
    text = (await client.get("/metrics")).text
    records, calls = _counted(text, "wootstream_records"), _counted(text, "wootstream_contacts_calls")
    accepted = _counted(text, "wootstream_ingress_requests")
    conn = await asyncpg.connect(database_url, timeout=10)
    try:
        rows = await conn.fetch(_ROWS, slugs)
    finally:
        await conn.close()
    return [_numbers(row, accepted=accepted, records=records, calls=calls) for row in rows]


def _numbers(row: asyncpg.Record, *, accepted: Counts, records: Counts, calls: Counts) -> StoreNumbers:
    store = str(UUID(str(row["organization_id"])))
    return StoreNumbers(
        slug=row["slug"],
        accepted=int(accepted[store, "accepted"]),
        stored=int(records[store, "applied"]),
        duplicates=int(records[store, "duplicate"]),
        ignored=int(records[store, "ignored"]),
        dead=int(records[store, "dead"]),
        conversations=row["conversations"],
        first_response=row["first_response"],
        orders=row["orders"],
        calls_sent=int(calls[store, "sent"]),
        calls_saved=int(calls[store, "saved"]),
    )


def _counted(text: str, name: str) -> Counter[tuple[str, str]]:
    """A counter by store and outcome, the other labels added up."""
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name == name:
            for sample in family.samples:
                if sample.name == f"{name}_total":
                    found[sample.labels["store"], sample.labels["outcome"]] += int(sample.value)
    return found
