"""The storefronts' door: POST /beacons, what visitors' pages report."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import orjson
from starlette.types import Receive, Scope

from schemas import topics
from schemas.beacons import BEACON, CONSENT, MOST_EVENTS, plain_post
from schemas.values.depth import too_deep
from schemas.values.json_text import mend
from services.ingress.doors.answer import MAY_POST, TAKEN, DoorAnswer
from services.ingress.doors.beacon_events import KnownVisitor, any_word, judge, nobodys_row, row, word
from services.ingress.doors.door import DoorContext, WholeRequest
from services.ingress.doors.refusals import EventRefusal, Reason, Refused, wrong_method
from services.ingress.doors.request import BEACON_BYTES, DEADLINE, RequestHeaders, content_type, headers
from services.ingress.stores.store import Store
from services.ingress.tokens import Claims
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.kernel.web.addresses import ClientAddress, client_of

PREFIX = "/beacons"
# sendBeacon sends text/plain, or names no type for bytes and a Blob without one: any other type makes a browser ask
# before each request (Fetch, CORS-safelisted).
_TYPES = frozenset({b"text/plain", b"", b"application/json"})
# The origin of a page whose Referrer-Policy is no-referrer or same-origin, in sendBeacon of Firefox, as Fetch says
# ("append a request Origin header"). Its token was given to one of the store's pages, and stands for it.
_WITHHELD = b"null"
_WRONG_TYPE = "another content type, please: text/plain, or application/json, for which a browser asks first"
_NO_POST = "the body is an object: token, a text; consent, a list of purposes; events, a list"
_NO_EVENT = f"events is a list of 1 to {MOST_EVENTS}"
_LONGEST_USER_AGENT = 512
# In the scope of a request that was judged as a whole and then had to wait: its quota is used up once.
_JUDGED = "wootstream.judged_beacon"
_encode = msgspec.json.Encoder().encode
_taken_for = lru_cache(maxsize=1024)(TAKEN.allowing)


def parsed(body: bytes) -> Any:
    """A half character becomes U+FFFD: it costs itself, not the events beside it. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(mend(body))


class Beacons:
    """Limit, open the token, ask for consent, judge each event, keep."""

    name = "beacons"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._clock = doors.process.clock
        self._hops = doors.process.settings.proxy_hops

    def store_of(self, _scope: Scope) -> Store | None:
        """The URL names none."""
        return None

    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer:
        """204 once all are durable, 200 with the verdicts if some were refused. Raises Refused, NoRoom."""
        if scope["method"] == "OPTIONS":
            return self._doors.preflight(scope, MAY_POST)
        given = headers(scope)
        visitor = self._visitor(scope, given)
        body = await self._doors.bodies.read(scope, given, receive, BEACON_BYTES)
        beacon = scope.pop(_JUDGED, None) or self._judged(given, visitor, body)
        for record in beacon.records:
            await self._doors.keep(self.name, beacon.store, record, scope[DEADLINE])
        return self._answer(beacon, given.get(b"origin", b""))

    def take_whole(self, scope: Scope, body: bytes) -> WholeRequest | None:
        """The same of one record, but for what a browser asks before it posts. Raises Refused."""
        if scope["method"] == "OPTIONS":
            return None
        given = headers(scope)
        beacon = scope[_JUDGED] = self._judged(given, self._visitor(scope, given), body)
        if len(beacon.records) > 1:
            return None
        return WholeRequest(beacon.store, beacon.records[0], partial(self._answer, beacon, given.get(b"origin", b"")))

    def _answer(self, beacon: "_Beacon", origin: bytes) -> DoorAnswer:
        answer = self._doors.answer_to_several(self.name, beacon.store, beacon.kept, beacon.refusals)
        if origin == _WITHHELD:  # as other sites' frames may say as well
            return answer
        return _taken_for(origin) if answer is TAKEN else answer.allowing(origin)

    def _visitor(self, scope: Scope, given: RequestHeaders) -> ClientAddress:
        """Whose head this is, if it is one of a beacon. Raises Refused."""
        if scope["path"] != PREFIX:
            raise Refused(Reason.NO_SUCH_PATH)
        if scope["method"] != "POST":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"POST, OPTIONS"))
        if content_type(given) not in _TYPES:
            raise Refused(Reason.WRONG_TYPE, _WRONG_TYPE)
        return client_of(scope, self._hops)

    def _judged(self, given: RequestHeaders, visitor: ClientAddress, body: bytes) -> "_Beacon":
        """Raises Refused, also where no event is left."""
        token, consent, events = _read(body)
        store, claims = self._verify(token, given.get(b"origin", b""))
        if not self._doors.quotas.take_beacons(store.id, visitor.network, claims.session, len(events)):
            raise Refused(Reason.OVER_QUOTA, store=store.id)
        # After the quota: a flood without consent is a flood.
        agreed = "analytics" in consent
        # A word that takes consent back may come with what happened before it: that is refused, and the word is not.
        words_alone = store.analytics_need_consent and not agreed
        if words_alone and not any_word(events):
            raise Refused(Reason.NO_CONSENT, store=store.id)
        now = self._clock.now()
        kept, refusals = judge(events, now, words_alone=words_alone)
        if not kept:
            self._doors.answer_to_several(self.name, store, 0, refusals)
        told = [event for event in kept if not event.is_consent]
        records: list[Record] = []
        if told:
            named = "personalisation" in consent
            whose: Iterable[Subject] = ()
            if agreed:
                known = _known(given, store, claims, visitor, named=named)
                key, rows = claims.session, [row(event, known) for event in told]
                whose = _whose(claims, named=named) if store.sealer else ()
            else:
                key, rows = str(uuid4()), [nobodys_row(event) for event in told]
            records.append(_record(store, key, BEACON, _encode(rows), now, whose))
        if len(told) < len(kept):
            words = [word(event, claims.session, claims.customer) for event in kept if event.is_consent]
            whose = _whose(claims, named=True) if store.sealer else ()
            records.append(_record(store, claims.session, CONSENT, orjson.dumps(words), now, whose))
        return _Beacon(store, records, len(kept), refusals)

    def _verify(self, token: str, origin: bytes) -> tuple[Store, Claims]:
        """Raises Refused."""
        claims = self._doors.tokens.open(token, self._clock.now())
        store = self._doors.stores.of_token(claims.store if claims else None)
        if claims is None or store is None:
            raise Refused(Reason.BAD_TOKEN)
        if claims.origin not in store.origins or origin not in (claims.origin.encode("latin-1"), _WITHHELD):
            raise Refused(Reason.FOREIGN_ORIGIN, store=store.id)
        return store, claims


class _Beacon(NamedTuple):
    """A POST whose events were judged, and some kept: what happened, and what was agreed to, a record each."""

    store: Store
    records: list[Record]
    kept: int
    refusals: list[EventRefusal]


def _whose(claims: Claims, *, named: bool) -> Iterable[Subject]:
    """As the rows name them."""
    customer = claims.customer if named else None
    user = _uuid(customer)
    return subjects_named(sessions=[claims.session], customers=[customer], users=[user] if user else ())


def _record(store: Store, key: str, event: str, value: bytes, now: datetime, whose: Iterable[Subject]) -> Record:
    record = Record.accepted(
        topics.WIDGET_EVENTS.name,
        key=f"{store.key}:{key}".encode(),
        value=value,
        store=store.id,
        event=event,
        origin="beacon",
        received_at=now,
    )
    return store.sealer.sealed(record, whose) if store.sealer else record


def _read(body: bytes) -> tuple[str, Sequence[Any], Sequence[Any]]:
    """Token, consent and events, unjudged. Raises Refused."""
    token, consent, events = _fields(body)
    if not events:
        raise Refused(Reason.NO_EVENT, _NO_EVENT)
    if len(events) > MOST_EVENTS:
        raise Refused(Reason.TOO_LARGE, _NO_EVENT)
    return token, consent, events


def _fields(body: bytes) -> tuple[str, Sequence[Any], Sequence[Any]]:
    """The same however many events there are. Raises Refused."""
    if plain := plain_post(body):
        return plain.token, plain.consent, plain.events
    if too_deep(body):
        raise Refused(Reason.TOO_DEEP)
    try:
        post = parsed(body)
    except orjson.JSONDecodeError as cause:
        raise Refused(Reason.NOT_JSON) from cause
    if type(post) is not dict:
        raise Refused(Reason.NO_EVENT, _NO_POST)
    token, consent, events = post.get("token"), post.get("consent"), post.get("events")
    if type(token) is not str or type(consent) is not list or type(events) is not list:
        raise Refused(Reason.NO_EVENT, _NO_POST)
    if not all(type(purpose) is str for purpose in consent):
        raise Refused(Reason.NO_EVENT, _NO_POST)
    return token, consent, events


def _known(given: RequestHeaders, store: Store, claims: Claims, visitor: ClientAddress, *, named: bool) -> KnownVisitor:
    customer = claims.customer if named else None
    return KnownVisitor(
        claims.session,
        customer,
        _uuid(customer),
        given.get(b"user-agent", b"")[:_LONGEST_USER_AGENT].decode("latin-1"),
        (visitor.address if store.keep_full_ip else visitor.network) or None,
    )


def _uuid(customer: str | None) -> UUID | None:
    """Shops whose customers are the host's users know them by the user's id."""
    try:
        return UUID(customer) if customer else None
    except ValueError:
        return None
