"""The shops' door: POST /events/{store}, CloudEvents signed as Standard Webhooks, one or a batch."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope

from schemas import topics
from schemas.shop import AHEAD, MOST_EVENTS, CustomerEvent, OrderEvent, ShopEvent
from services.ingress.answers import Answer
from services.ingress.doors import Doors
from services.ingress.judging import Verdict
from services.ingress.refusals import Reason, Refused, wrong_method
from services.ingress.requests import WEBHOOK_BYTES, Headers, content_type, headers
from services.ingress.signatures import signed_as_standard, unix_seconds
from services.ingress.stores import Store
from services.kernel import Record
from services.kernel.errors import describe

PREFIX = "/events/"
_ONE, _BATCH, _EITHER = b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json"
_SIGNED = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
_AT_ONCE = 100
_EVENT: TypeAdapter[CustomerEvent | OrderEvent] = TypeAdapter(ShopEvent)


class Events:
    """Limit, verify, judge each event, key, keep."""

    name = "events"

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._clock = doors.process.clock
        self._skew_seconds = doors.process.settings.webhook_skew_seconds

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names, proved or not."""
        return self._doors.directory.known.by_slug.get(scope["path"][len(PREFIX) :])

    async def take(self, scope: Scope, receive: Receive) -> Answer:
        """204 once all are durable, 200 with the verdicts if some were refused. Raises Refused, NoRoom."""
        if scope["method"] != "POST":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"POST"))
        given = headers(scope)
        kind = content_type(given)
        if kind not in (_ONE, _BATCH, _EITHER):
            raise Refused(Reason.WRONG_TYPE)
        store = await self._doors.directory.named(scope["path"][len(PREFIX) :])
        body = await self._doors.bodies.read(scope, given, receive, WEBHOOK_BYTES)
        self._verify(store, given, body)
        records, verdicts = self._judge(store, _events(kind, body))
        for first in range(0, len(records), _AT_ONCE):
            some = records[first : first + _AT_ONCE]
            await asyncio.gather(*(self._doors.keep(self.name, store, record) for record in some))
        return self._doors.told(self.name, store, len(records), verdicts)

    def _verify(self, store: Store, given: Headers, body: bytes) -> None:
        """Raises Refused; a store that does not exist fails where a wrong signature does."""
        name, timestamp, signatures = (given.get(one, b"") for one in _SIGNED)
        if not (name and timestamp and signatures):
            raise Refused(Reason.UNSIGNED if store.slug else Reason.UNKNOWN_STORE)
        if not signed_as_standard(store.event_keys, name, timestamp, body, signatures):
            raise Refused(Reason.BAD_SIGNATURE if store.slug else Reason.UNKNOWN_STORE)
        at = unix_seconds(timestamp)
        if at is None or abs(self._clock.now().timestamp() - at) > self._skew_seconds:
            raise Refused(Reason.SKEWED)

    def _judge(self, store: Store, events: Sequence[bytes]) -> tuple[list[Record], list[Verdict]]:
        """By the same rules as the topic's reader, so that what is taken here is never set aside there."""
        records, verdicts, now = [], [], self._clock.now()
        for index, text in enumerate(events):
            try:
                event = _EVENT.validate_json(text)
            except ValidationError as error:
                verdicts.append(Verdict(index, "invalid", describe(error)))
                continue
            if event.time > now + AHEAD:
                verdicts.append(Verdict(index, "ahead", "time lies more than 10 minutes ahead of the server's clock"))
                continue
            records.append(
                Record.accepted(
                    topics.SHOP_EVENTS.name,
                    key=f"{store.key}:{event.data.customer_id}".encode(),
                    value=text,
                    store=store.id,
                    event=event.type,
                    origin="shop",
                    received_at=now,
                )
            )
        return records, verdicts


def _events(kind: bytes, body: bytes) -> list[bytes]:
    """The event's own bytes, or those of each in a batch. Raises Refused."""
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError as cause:
        raise Refused(Reason.NOT_JSON) from cause
    if type(said) is dict and kind != _BATCH:
        return [body]
    if type(said) is not list or not said or kind == _ONE:
        raise Refused(Reason.NO_EVENT)
    if len(said) > MOST_EVENTS:
        raise Refused(Reason.TOO_LARGE)
    return [orjson.dumps(one) for one in said]
