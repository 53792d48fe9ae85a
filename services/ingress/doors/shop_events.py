"""The shops' door: POST /events/{store}, CloudEvents signed as Standard Webhooks, one or a batch."""

import asyncio
import json
import re
from collections.abc import Iterable, Sequence

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope

from schemas import topics
from schemas.shop import AHEAD, MOST_EVENTS, TYPES, AnyShopEvent, CustomerData, ShopEvent
from schemas.values.depth import too_deep, too_many
from schemas.values.json_text import mend
from services.ingress.doors.answer import DoorAnswer
from services.ingress.doors.door import DoorContext
from services.ingress.doors.refusals import EventRefusal, Reason, Refused, wrong_method
from services.ingress.doors.repeats import Repeats, message_of
from services.ingress.doors.request import DEADLINE, EVENTS_BYTES, content_type, headers
from services.ingress.doors.shop_signature import MESSAGE_ID, verify_standard
from services.ingress.stores.store import Store
from services.kernel import Record
from services.kernel.errors import describe
from services.kernel.forgetting.subjects import Subject
from services.kernel.sealing.whose import of_customer

PREFIX = "/events/"
_ONE, _BATCH, _EITHER = b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json"
_WRONG_TYPE = f"another content type, please: {_ONE.decode()}, {_BATCH.decode()} or {_EITHER.decode()}"
_NO_BATCH = f"a single event is sent as {_ONE.decode()}, or in an array"
_A_BATCH = f"an array of events is sent as {_BATCH.decode()}"
_NO_EVENT = "the body is a CloudEvent, an object, or an array of them"
_SO_MANY = f"a batch is an array of 1 to {MOST_EVENTS} events"
_AT_ONCE = 100
_SPACE = b" \t\n\r"
_SPACES = re.compile(r"[ \t\n\r]*")
# Only where each value ends is wanted: numbers of any length are not reckoned, control characters are the reader's.
_decoder = json.JSONDecoder(strict=False, parse_int=len, parse_float=len, object_pairs_hook=len)
# json.dumps of Python writes them, and so do others that are not told otherwise.
_CONSTANTS = (b"NaN", b"Infinity")
_EVENT: TypeAdapter[AnyShopEvent] = TypeAdapter(ShopEvent)
_TYPES = sorted(TYPES)


class ShopEvents:
    """Limit, verify, judge each event, key, keep."""

    name = "events"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._clock = doors.process.clock
        self._skew_seconds = doors.process.settings.webhook_skew_seconds
        # As long as a signature can be good, whatever side of our clock its time was on.
        self._repeats = Repeats(self._clock, 2 * self._skew_seconds)

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names, proved or not."""
        return self._doors.stores.known.by_slug.get(scope["path"][len(PREFIX) :])

    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer:
        """204 once all are durable, 200 with the verdicts if some were refused. Raises Refused, NoRoom."""
        if scope["method"] != "POST":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"POST"))
        given = headers(scope)
        kind = content_type(given)
        if kind not in (_ONE, _BATCH, _EITHER):
            raise Refused(Reason.WRONG_TYPE, _WRONG_TYPE)
        store = self.store_of(scope) or await self._doors.stores.named(scope["path"][len(PREFIX) :], scope[DEADLINE])
        body = await self._doors.bodies.read(scope, given, receive, EVENTS_BYTES)
        verify_standard(store, given, body, self._clock.now(), self._skew_seconds)
        message = message_of(given[MESSAGE_ID], body)
        if answered := self._repeats.answered(store.id, message):
            self._doors.metrics.repeated(self.name).inc()
            return answered
        answer = await self._keep(store, _events(kind, body), scope[DEADLINE])
        self._repeats.remember(store.id, message, answer)
        return answer

    async def _keep(self, store: Store, events: Sequence[bytes], deadline: float) -> DoorAnswer:
        """Some at a time: between them the loop is others'."""
        kept, refusals = 0, list[EventRefusal]()
        for first in range(0, len(events), _AT_ONCE):
            records, refused = self._judge(store, first, events[first : first + _AT_ONCE])
            await asyncio.gather(*(self._doors.keep(self.name, store, record, deadline) for record in records))
            kept += len(records)
            refusals += refused
        return self._doors.answer_to_several(self.name, store, kept, refusals)

    def _judge(self, store: Store, first: int, events: Sequence[bytes]) -> tuple[list[Record], list[EventRefusal]]:
        """By the same rules as the topic's reader, so that what is taken here is never set aside there."""
        records, refusals, now = [], [], self._clock.now()
        for index, raw in enumerate(events, first):
            try:
                event, text = _read(raw)
            except ValidationError as error:
                refusals.append(EventRefusal(index, "invalid", _why(error)))
                continue
            if _holds_a_constant(text):
                refusals.append(EventRefusal(index, "invalid", "NaN and Infinity are no JSON"))
                continue
            if event.time > now + AHEAD:
                refusals.append(
                    EventRefusal(index, "ahead", "time lies more than 10 minutes ahead of the server's clock")
                )
                continue
            record = Record.accepted(
                topics.SHOP_EVENTS.name,
                key=f"{store.key}:{event.data.customer_id}".encode(),
                value=text,
                store=store.id,
                event=event.type,
                origin="shop",
                received_at=now,
            )
            records.append(store.sealer.sealed(record, _whose(event)) if store.sealer else record)
        return records, refusals


def _why(error: ValidationError) -> str:
    """What is wrong, and for a type that is none of ours which there are."""
    kind = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
    return f"{describe(error)}: {', '.join(_TYPES)}" if kind.startswith("union_tag") else describe(error)


def _whose(event: AnyShopEvent) -> Iterable[Subject]:
    data = event.data
    if isinstance(data, CustomerData):
        return of_customer(data.customer_id, data.email, data.phone)
    return of_customer(data.customer_id)


def _events(kind: bytes, body: bytes) -> list[bytes]:
    """The event's own bytes, or those of each in a batch. Raises Refused."""
    if too_many(body):
        raise Refused(Reason.TOO_MANY)
    if too_deep(body):
        raise Refused(Reason.TOO_DEEP)
    begins = body.lstrip(_SPACE)[:1]
    if begins == b"{" and kind != _BATCH:
        return [body]
    try:
        events = elements(body, MOST_EVENTS) if begins == b"[" else orjson.loads(body)
    except ValueError as cause:
        raise Refused(Reason.NOT_JSON) from cause
    if begins != b"[":
        raise Refused(Reason.NO_EVENT, _NO_BATCH if begins == b"{" else _NO_EVENT)
    if kind == _ONE:
        raise Refused(Reason.NO_EVENT, _A_BATCH)
    if not events:
        raise Refused(Reason.NO_EVENT, _SO_MANY)
    if len(events) > MOST_EVENTS:
        raise Refused(Reason.TOO_LARGE, _SO_MANY)
    return list(events)


def _read(raw: bytes) -> tuple[AnyShopEvent, bytes]:
    """The event with its bytes as they came; half characters and endless numbers cost themselves alone."""
    try:
        return _EVENT.validate_json(raw), raw
    except ValidationError:
        if (whole := mend(raw)) == raw:
            raise
        return _EVENT.validate_json(whole), whole


def _holds_a_constant(text: bytes) -> bool:
    """What some languages write for a number that is none; our reader passes over it, and no other JSON reader does."""
    if not any(name in text for name in _CONSTANTS):
        return False
    seen: list[str] = []
    try:
        json.loads(text, strict=False, parse_int=len, parse_float=len, parse_constant=seen.append)
    except ValueError:  # what only our reader takes for JSON is none either
        return True
    return bool(seen)


def elements(array: bytes, most: int) -> list[bytes]:
    """An array's elements, each as the very bytes it came in: what is passed on is not written anew.

    At most one more than `most`. Raises ValueError for what is no array; its depth must have been judged before.
    Whether an element is text, and sound within, is not looked at: each is its own reader's.
    """
    text = array.decode("latin-1")  # a character for each byte: structure is ASCII, and what is no UTF-8 costs itself
    at = _expect(text, 0, "[")
    found: list[bytes] = []
    if text[at : at + 1] == "]":
        return found
    while len(found) <= most:
        _, end = _decoder.raw_decode(text, at)
        found.append(array[at:end])
        after = _past_space(text, end)
        if text[after : after + 1] == "]":
            if _past_space(text, after + 1) < len(text):
                raise ValueError(f"more than an array at {after + 1}")
            return found
        at = _expect(text, after, ",")
    return found


def _expect(text: str, at: int, sign: str) -> int:
    """Where what follows the sign begins."""
    at = _past_space(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} at {at}")
    return _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    space = _SPACES.match(text, at)
    return space.end() if space else at
