"""Traces by OpenTelemetry, the extra `otel`: door → Kafka headers → a group's transaction → its statements; and the
calls to Chatwoot.

The share that is traced is drawn at the door. What is not drawn carries no header, and costs the consumers nothing; a
batch is one span, below the first traced record in it and linked to the others. No span says what a record, a path or a
statement's arguments hold.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.pool import Connection
from db.surrounded import SurroundedConnection
from services.kernel.clock import Clock
from services.kernel.errors import Stop, describe
from services.kernel.record import Record
from services.kernel.settings import Settings
from services.kernel.telemetry.following import Follower, Keeper, SettledBatch
from services.kernel.telemetry.own_release import release

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, SpanKind

_HEADER = "traceparent"
_CLOSING_SECONDS = 2.0
_POLL_SECONDS = 0.02
_LONGEST_STATEMENT = 500


def traces_to(settings: Settings, processor: "SpanProcessor | None" = None) -> "Traces":
    """Traces to the collector that the settings name, or to this processor. Raises Stop when the SDK is absent."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as absent:
        raise Stop(
            "WOOTSTREAM_OTEL_ENDPOINT is set but OpenTelemetry is absent: pip install 'wootstream[otel]', or unset it"
        ) from absent
    # Sent by a thread of its own from a queue that drops what it cannot hold: a collector that hangs slows nobody.
    address = f"{settings.otel_endpoint}/v1/traces"
    return Traces(settings, processor or BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=5)))


class Traces(Follower):
    """One tracer for the process."""

    def __init__(self, settings: Settings, processor: "SpanProcessor") -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        _, _, version = release().partition("@")
        about = {"service.name": "wootstream", "service.version": version}
        self._provider = TracerProvider(
            resource=Resource(about | {"deployment.environment.name": settings.environment}),
            sampler=ParentBased(TraceIdRatioBased(settings.otel_share)),
            span_limits=SpanLimits(max_links=settings.batch_records),
            shutdown_on_exit=False,  # it waits for the collector; `close` does so for a while
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("wootstream")
        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()

    def door(self, prefix: str, app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            # By the prefix: behind it a path may hold a secret. What a stranger's own traceparent says is not heard, or
            # he would decide what is traced.
            attributes = {"http.request.method": scope["method"], "http.route": prefix}
            with self._span(f"{scope['method']} {prefix}", "SERVER", attributes) as span:

                async def noted(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                    await send(message)

                await app(scope, receive, noted)

        return traced

    def keeper(self, keeper: Keeper) -> Keeper:
        return _TracedKeeper(keeper, self)

    @contextmanager
    def batch(self, group: str, records: Sequence[Record]) -> Iterator[None]:
        parents = [(one, given) for one in records if (given := one.header(_HEADER))]
        if not parents:
            yield
            return
        contexts = [self._propagator.extract({_HEADER: given}) for _, given in parents]
        links = [self._trace.Link(self._trace.get_current_span(one).get_span_context()) for one in contexts[1:]]
        attributes = {
            "messaging.system": "kafka",
            "messaging.consumer.group.name": group,
            "messaging.destination.name": parents[0][0].topic,
            "messaging.batch.message_count": len(records),
            "wootstream.record": parents[0][0].id or "",
        }
        with self._span(f"process {group}", "CONSUMER", attributes, context=contexts[0], links=links):
            yield

    def settled(self, batch: SettledBatch) -> None:
        span = self._trace.get_current_span()
        if span.is_recording():
            for one in batch.records:
                if one.header(_HEADER):
                    span.add_event("record_settled", {"record": one.id or "", "outcome": batch.outcome(one)})

    def connection(self, connection: Connection) -> Connection:
        return SurroundedConnection(connection, self.statement)

    def call(self, method: str, host: str) -> AbstractContextManager[object]:
        return self._span(f"{method} chatwoot", "CLIENT", {"http.request.method": method, "server.address": host})

    async def close(self) -> None:
        # In a thread that nobody waits for at the end: to a collector that hangs it would wait for its time-out.
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        clock = Clock()
        give_up_at = clock.monotonic() + _CLOSING_SECONDS
        while ending.is_alive() and clock.monotonic() < give_up_at:
            await clock.sleep(_POLL_SECONDS)

    @contextmanager
    def _span(self, name: str, kind: str, attributes: dict[str, Any], **more: Any) -> "Iterator[Span]":
        """A span that ends with its block; of what is raised in there it says what the logs would."""
        of_kind: SpanKind = getattr(self._trace.SpanKind, kind)
        with self._tracer.start_as_current_span(
            name, kind=of_kind, attributes=attributes, record_exception=False, set_status_on_exception=False, **more
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(self._trace.StatusCode.ERROR, describe(error))
                raise

    def written_into(self, record: Record) -> None:
        """Let the record carry the present span, if it is one of those drawn."""
        if self._trace.get_current_span().get_span_context().trace_flags.sampled:
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            record.headers = (*record.headers, (_HEADER, carrier[_HEADER].encode()))

    def statement(self, query: str) -> AbstractContextManager[object] | None:
        """Around one statement, whose text is ours and whose arguments are not told; None outside a trace."""
        if not self._trace.get_current_span().is_recording():
            return None
        text = " ".join(query.split())
        attributes = {"db.system.name": "postgresql", "db.query.text": text[:_LONGEST_STATEMENT]}
        return self._span(text.partition(" ")[0], "CLIENT", attributes)


class _TracedKeeper:
    def __init__(self, keeper: Keeper, traces: Traces) -> None:
        self._keeper = keeper
        self._traces = traces

    async def keep(self, record: Record, deadline: float) -> None:
        self._traces.written_into(record)
        await self._keeper.keep(record, deadline)
