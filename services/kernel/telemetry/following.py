"""Following one record from the door to its rows: by a line at each step, by a trace, or not at all.

Who does not follow pays nothing: what a follower adds it adds by wrapping, once, when the process is put together.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from db.pool import Connection
from schemas import topics
from services.kernel.record import Record
from services.kernel.settings import Settings

REQUEST_ID = "request-id"
# The name of a request as our own proxy gives it; anything else is somebody's text, and stays out of logs and topics.
_IS_REQUEST_ID = re.compile(rb"[0-9A-Za-z_-]{8,64}").fullmatch
_request: ContextVar[bytes] = ContextVar("request", default=b"")
log = structlog.get_logger()


class Keeper(Protocol):
    """Where a door hands in a record, and waits until it is durable."""

    async def keep(self, record: Record, deadline: float) -> None: ...


class SettledBatch(NamedTuple):
    """What a committed transaction made of its records."""

    group: str
    records: Sequence[Record]
    asked: Collection[Record]  # of which this group wanted to know
    news: Collection[Record]
    bad: Mapping[Record, tuple[str, str]]  # kind and reason

    def outcome(self, record: Record) -> str:
        """As the ledger counts it."""
        if record in self.bad:
            return "dead"
        if record not in self.asked:
            return "ignored"
        return "applied" if record in self.news else "duplicate"


class Follower:
    """Follows nothing. What follows overrides what it needs."""

    def door(self, _prefix: str, app: ASGIApp) -> ASGIApp:
        """Around each request to the doors below this prefix."""
        return app

    def keeper(self, keeper: Keeper) -> Keeper:
        """Around the moment in which a record becomes durable."""
        return keeper

    def batch(self, _group: str, _records: Sequence[Record]) -> AbstractContextManager[object]:
        """Around the transaction of a batch, whether it commits or not."""
        return nullcontext()

    def settled(self, batch: SettledBatch) -> None:
        """After its commit."""

    def connection(self, connection: Connection) -> Connection:
        """Around the statements of a connection."""
        return connection

    def call(self, _method: str, _host: str) -> AbstractContextManager[object]:
        """Around a call to a Chatwoot."""
        return nullcontext()

    def sent(self, store: UUID, contact: int, calls: int) -> None:
        """After a contact's attributes reached Chatwoot."""

    async def close(self) -> None:
        """Hand over what is still held; bounded in time."""


class RecordLog(Follower):
    """A line at each step, with the same two names: `record`, made at acceptance, and `request`, the proxy's."""

    def door(self, _prefix: str, app: ASGIApp) -> ASGIApp:
        async def named(scope: Scope, receive: Receive, send: Send) -> None:
            given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
            # Also an empty one: a connection's requests follow each other in one context.
            _request.set(given if _IS_REQUEST_ID(given) else b"")
            await app(scope, receive, send)

        return named

    def keeper(self, keeper: Keeper) -> Keeper:
        return _LoggedKeeper(keeper)

    def settled(self, batch: SettledBatch) -> None:
        for one in batch.records:
            log.info(
                "record_settled",
                group=batch.group,
                outcome=batch.outcome(one),
                partition=one.partition,
                offset=one.offset,
                **_names(one),
            )

    def sent(self, store: UUID, contact: int, calls: int) -> None:
        log.info("contact_sent", store=str(store), subject=f"contact:{contact}", calls=calls)


class _LoggedKeeper:
    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def keep(self, record: Record, deadline: float) -> None:
        if request := _request.get():
            record.headers = (*record.headers, (REQUEST_ID, request))
        await self._keeper.keep(record, deadline)
        log.info("record_accepted", origin=record.origin, **_names(record))


def _names(record: Record) -> dict[str, Any]:
    """What tells it from others, and nothing of what it says. A shop's key may be an e-mail address: only Chatwoot's
    numbers are shown."""
    names: dict[str, Any] = {"record": record.id, "store": record.store_name}
    names |= {"topic": record.topic, "event_name": record.event}
    if request := record.header(REQUEST_ID):
        names["request"] = request
    if delivery := record.header("chatwoot-delivery"):
        names["delivery"] = delivery
    if record.topic == topics.WEBHOOKS.name and record.key:
        names["subject"] = record.key.decode("ascii", "replace").partition(":")[2]
    return names


class _Several(Follower):
    """All of these."""

    def __init__(self, followers: Sequence[Follower]) -> None:
        self._followers = followers

    def door(self, prefix: str, app: ASGIApp) -> ASGIApp:
        for one in self._followers:
            app = one.door(prefix, app)
        return app

    def keeper(self, keeper: Keeper) -> Keeper:
        for one in self._followers:
            keeper = one.keeper(keeper)
        return keeper

    def batch(self, group: str, records: Sequence[Record]) -> AbstractContextManager[object]:
        return _entered([one.batch(group, records) for one in self._followers])

    def settled(self, batch: SettledBatch) -> None:
        for one in self._followers:
            one.settled(batch)

    def connection(self, connection: Connection) -> Connection:
        for one in self._followers:
            connection = one.connection(connection)
        return connection

    def call(self, method: str, host: str) -> AbstractContextManager[object]:
        return _entered([one.call(method, host) for one in self._followers])

    def sent(self, store: UUID, contact: int, calls: int) -> None:
        for one in self._followers:
            one.sent(store, contact, calls)

    async def close(self) -> None:
        for one in self._followers:
            await one.close()


class _entered(ExitStack):
    """Several contexts as one, entered only by its own `with`."""

    def __init__(self, contexts: Sequence[AbstractContextManager[object]]) -> None:
        super().__init__()
        self._contexts = contexts

    def __enter__(self) -> "_entered":
        for one in self._contexts:
            self.enter_context(one)
        return self


def follower_of(settings: Settings) -> Follower:
    """What the settings ask for. Raises Stop where traces are asked for and their SDK is not installed."""
    followers: list[Follower] = []
    if settings.follow_records:
        followers.append(RecordLog())
    if settings.otel_endpoint:
        from services.kernel.telemetry.traces import traces_to

        followers.append(traces_to(settings))
    return _Several(followers) if len(followers) > 1 else followers[0] if followers else Follower()
