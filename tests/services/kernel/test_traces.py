"""Traces: one from the door through Kafka to PostgreSQL's statements, by the SDK's own exporter in memory."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from unittest.mock import Mock

import httpx
import orjson
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from db.pool import Pool
from schemas import topics
from services.contacts.app import add_to as add_contacts
from services.ingress.app import add_to as add_ingress
from services.kernel import Chatwoot, Process, Settings, Stop
from services.kernel.secrets import load_secrets
from services.kernel.telemetry.following import Follower, follower_of
from services.kernel.telemetry.traces import traces_to
from tests.answering import Answering
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.newest import begin_at_the_end
from tests.services.attached import authorize
from tests.services.contacts.api import ContactsDouble
from tests.services.ingress.bench import Shop, held, open_shop, post_webhook

_COLLECTOR = "http://127.0.0.1:9"


@asynccontextmanager
async def traced(
    settings: Settings, api: ContactsDouble, *, share: float
) -> AsyncIterator[tuple[httpx.AsyncClient, InMemorySpanExporter]]:
    """Doors and contacts in one process, every span kept in memory."""
    spans = InMemorySpanExporter()
    told = settings.model_copy(update={"otel_endpoint": _COLLECTOR, "otel_share": share})
    process = Process(told, following=traces_to(told, SimpleSpanProcessor(spans)))
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(
        told, process.clock, CollectorRegistry(), Answering(api.answer), following=process.following
    )
    for add_to in (add_ingress, add_contacts):
        add_to(process)
    serving = asyncio.create_task(process.serve())
    try:
        await eventually(lambda: bool(process.address) and process.publisher.connected)
        async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS) as client:
            yield client, spans
    finally:
        process.stopping.set()
        assert await serving == 0, process.failure


async def post_contact(client: httpx.AsyncClient, shop: Shop, number: int) -> None:
    said = {"event": "contact_created", "id": number, "email": "jane@example.org", "account": {"id": shop.account_id}}
    answer = await post_webhook(client, shop, orjson.dumps(said), at=datetime.now(UTC))
    assert answer.status_code == 204


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [one for one in spans.get_finished_spans() if one.name == name]


def _calls(spans: InMemorySpanExporter, host: str) -> list[ReadableSpan]:
    finished = [one for one in spans.get_finished_spans() if one.name.endswith(" chatwoot")]
    return [one for one in finished if one.attributes and one.attributes["server.address"] == host]


def traces_of(spans: Sequence[ReadableSpan]) -> set[int]:
    return {one.context.trace_id for one in spans if one.context}


@pytest.mark.usefixtures("topics")
async def test_one_trace_leads_from_the_door_through_kafka_to_the_statements(
    settings: Settings, admin_pool: Pool
) -> None:
    shop, api = await open_shop(admin_pool, settings), ContactsDouble()
    await begin_at_the_end(settings, admin_pool, {"contacts": topics.WEBHOOKS})
    async with traced(settings, api, share=1.0) as (client, spans):
        await post_contact(client, shop, 7)
        await eventually(lambda: bool(named(spans, "process contacts") and named(spans, "POST /webhooks/chatwoot/")))
        [batch], [door] = named(spans, "process contacts"), named(spans, "POST /webhooks/chatwoot/")
        [record] = await held(settings, topics.WEBHOOKS, shop.id)
    assert door.attributes
    assert door.attributes["http.response.status_code"] == 204
    assert traces_of([door]) == traces_of([batch])
    assert batch.parent
    assert door.context
    assert batch.parent.span_id == door.context.span_id
    carried = record.header("traceparent")
    assert carried
    assert f"{door.context.trace_id:032x}" in carried
    below = [one for one in spans.get_finished_spans() if one.parent and batch.context.span_id == one.parent.span_id]
    statements = [str(one.attributes["db.query.text"]) for one in below if one.attributes]
    assert any("wootstream.ledger" in text for text in statements)
    assert any("chatwoot_contacts" in text for text in statements)
    [settled] = batch.events
    assert settled.attributes
    assert (settled.attributes["record"], settled.attributes["outcome"]) == (record.id, "applied")
    every = " ".join(one.to_json() for one in spans.get_finished_spans())
    assert "jane@example.org" not in every
    assert shop.slug not in every


@pytest.mark.usefixtures("topics")
async def test_a_call_to_chatwoot_is_a_span_without_its_path(settings: Settings, admin_pool: Pool) -> None:
    shop, api = await open_shop(admin_pool, settings, push="live", create_contacts=False), ContactsDouble()
    host = f"{shop.id.hex}.example"
    await authorize(admin_pool, shop.id, load_secrets(settings))
    api.add(host, 7, identifier="c7", email="c7@x.example")
    await begin_at_the_end(settings, admin_pool, {"contacts": topics.WEBHOOKS})
    async with admin_pool.acquire() as conn:
        await conn.execute(
            "insert into wootstream.customers (organization_id, customer_id, email) values ($1, 'c7', 'c7@x.example')",
            shop.id,
        )
        await conn.execute("insert into wootstream.due (organization_id, person) values ($1, 'customer:c7')", shop.id)
    async with traced(settings, api, share=1.0) as (_, spans):
        await eventually(lambda: bool(_calls(spans, host)))
        called = _calls(spans, host)[0]
    assert called.kind.name == "CLIENT"
    assert "/api/v1" not in called.to_json()


@pytest.mark.usefixtures("topics")
async def test_a_request_that_is_not_drawn_carries_no_header_and_leaves_no_span(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    await begin_at_the_end(settings, admin_pool, {"contacts": topics.WEBHOOKS})
    async with traced(settings, ContactsDouble(), share=0.0) as (client, spans):
        await post_contact(client, shop, 7)

        async def there() -> bool:
            async with admin_pool.acquire() as conn:
                sql = "select count(*) from public.chatwoot_contacts where organization_id = $1"
                return bool(await conn.fetchval(sql, shop.id))

        await eventually(there)
        [record] = await held(settings, topics.WEBHOOKS, shop.id)
    assert record.header("traceparent") is None
    # Redelivered records of another test may still carry theirs.
    assert named(spans, "POST /webhooks/chatwoot/") == []


def test_switched_off_nothing_stands_between_a_door_and_the_producer() -> None:
    following, whatever = follower_of(Settings()), Mock()
    assert type(following) is Follower
    assert following.door("/x", whatever) is whatever
    assert following.keeper(whatever) is whatever
    assert following.connection(whatever) is whatever


def test_traces_without_the_sdk_stop_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(Stop, match=r"pip install 'wootstream\[otel\]'"):
        follower_of(Settings.model_validate({"otel_endpoint": _COLLECTOR}))


async def test_a_process_ends_though_its_collector_never_answers() -> None:
    """The queue's last spans are waited for a moment, by a thread that nobody waits for."""
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asked = {"otel_endpoint": f"http://127.0.0.1:{port}", "otel_share": 1.0}
        following = follower_of(Settings.model_validate(asked))
        with following.call("GET", uuid.uuid4().hex):
            pass
        await following.close()
        over.set()
