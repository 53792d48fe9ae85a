"""The shops' door: POST /events/{store}, CloudEvents signed as Standard Webhooks, one or a batch."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.types import Receive, Scope

from schemas import topics
from schemas.shop import AHEAD, MOST_EVENTS, CustomerEvent, OrderEvent, ShopEvent
from services.ingress.answers import Answer
from services.ingress.doors import Doors
from services.ingress.judging import Verdict
from services.ingress.refusals import Reason, Refused, wrong_method
from services.ingress.requests import WEBHOOK_BYTES, Headers, content_type, headers
from services.ingress.stores import Store
from services.kernel import Record
from services.kernel.errors import describe

PREFIX = "/events/"
_ONE, _BATCH, _EITHER = b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json"
_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
_AT_ONCE = 100
_NO_SECRET = secrets.token_bytes(32)
_EVENT: TypeAdapter[CustomerEvent | OrderEvent] = TypeAdapter(ShopEvent)


class Events:
    """Limit, verify, judge each event, key, keep."""

    name = "events"

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._clock = doors.process.clock

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
        _verify(store, given, body)
        records, verdicts = self._judge(store, _events(kind, body))
        for first in range(0, len(records), _AT_ONCE):
            some = records[first : first + _AT_ONCE]
            await asyncio.gather(*(self._doors.keep(self.name, store, record) for record in some))
        return self._doors.told(self.name, store, len(records), verdicts)

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


def _verify(store: Store, given: Headers, body: bytes) -> None:
    """Raises Refused; a store that does not exist fails where a wrong signature does."""
    try:
        named = {name: given[name.encode()].decode() for name in _SIGNED}
        Webhook(store.event_secret or _NO_SECRET).verify(body, named, json_parse=False)
    except KeyError as cause:
        raise Refused(Reason.UNSIGNED if store.slug else Reason.UNKNOWN_STORE) from cause
    except (WebhookVerificationError, ValueError) as cause:  # also for text that is no UTF-8, and base64 that is none
        raise Refused(Reason.BAD_SIGNATURE if store.slug else Reason.UNKNOWN_STORE) from cause


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
