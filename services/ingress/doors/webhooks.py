"""Chatwoot's door: POST /webhooks/chatwoot/{store}, for unsigned stores with /{path_token} behind it."""

from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import orjson
from starlette.types import Receive, Scope

from schemas import topics
from schemas.values.depth import too_deep, too_many
from services.ingress.doors.answer import TAKEN, DoorAnswer
from services.ingress.doors.door import DoorContext, WholeRequest
from services.ingress.doors.refusals import Reason, Refused, wrong_method
from services.ingress.doors.request import DEADLINE, WEBHOOK_BYTES, RequestHeaders, headers
from services.ingress.signatures import has_path_token, signed_by, unix_seconds
from services.ingress.stores.store import Store
from services.kernel import Record
from services.kernel.record import Headers as RecordHeaders
from services.kernel.sealing.whose import of_webhook

PREFIX = "/webhooks/chatwoot/"
_SIGNATURE, _TIMESTAMP, _DELIVERY = b"x-chatwoot-signature", b"x-chatwoot-timestamp", b"x-chatwoot-delivery"
_LONGEST_DELIVERY_ID = 64
LONGEST_EVENT = 64
# The rest of an account's events keep their order among themselves.
_OF_ACCOUNT = "account"


class Peek(NamedTuple):
    """`subject` ends the record's key: `conversation:7`, `contact:12` or `account`."""

    event: str
    subject: str


def _peek(body: bytes, account_id: int) -> tuple[Peek, dict[str, Any]]:
    """With the body as it was read. Raises Refused: TOO_MANY, NOT_JSON, TOO_DEEP, NO_EVENT; OTHER_ACCOUNT where the
    body names one of another."""
    if too_many(body):
        raise Refused(Reason.TOO_MANY)
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as cause:  # of depth, too: only then is it worth a second look
        raise Refused(Reason.TOO_DEEP if too_deep(body) else Reason.NOT_JSON) from cause
    event = payload.get("event") if type(payload) is dict else None
    if type(event) is not str or not _is_name(event):
        raise Refused(Reason.NO_EVENT)
    conversation = _dict(payload, "conversation")
    if not (_may_be_of(account_id, payload) and _may_be_of(account_id, conversation)):
        raise Refused(Reason.OTHER_ACCOUNT)
    return Peek(event, _subject(event, payload, conversation)), payload


def _is_name(event: str) -> bool:
    """It becomes a header, a label, and a line on a terminal."""
    return event.isascii() and event.isprintable() and 0 < len(event) <= LONGEST_EVENT


def _may_be_of(account_id: int, part: dict[str, Any]) -> bool:
    """Whether neither its account nor its last message's is another."""
    if (account := part.get("account")) is not None:
        named = account.get("id") if type(account) is dict else account
        if named != account_id:
            return False
    messages = part.get("messages")
    if type(messages) is list and messages and type(messages[0]) is dict:
        return bool(messages[0].get("account_id", account_id) == account_id)
    return True


def _subject(event: str, payload: dict[str, Any], conversation: dict[str, Any]) -> str:
    if event.startswith("message_") or "conversation" in payload:
        return _numbered("conversation", conversation)
    if event.startswith("conversation_"):
        return _numbered("conversation", payload)
    if event.startswith("contact_"):
        return _numbered("contact", payload)
    return _numbered("contact", _dict(payload, "contact"))


def _numbered(kind: str, thing: dict[str, Any]) -> str:
    number = thing.get("id")
    return f"{kind}:{number}" if type(number) is int else _OF_ACCOUNT


def _dict(payload: dict[str, Any], name: str) -> dict[str, Any]:
    value = payload.get(name)
    return value if type(value) is dict else {}


class Webhooks:
    """Limit, verify, peek, key, keep."""

    name = "webhooks"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._stores = doors.stores
        self._clock = doors.process.clock
        self._skew_seconds = doors.process.settings.webhook_skew_seconds

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names, proved or not."""
        return self._stores.known.by_slug.get(_slug_and_token(scope)[0])

    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer:
        """204 once the record is durable. Raises Refused, NoRoom."""
        if scope["method"] != "POST":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"POST"))
        slug, token = _slug_and_token(scope)
        # The known ones without a coroutine: this door's time is counted in microseconds.
        store = self._stores.known.by_slug.get(slug) or await self._stores.named(slug, scope[DEADLINE])
        given = headers(scope)
        body = await self._doors.bodies.read(scope, given, receive, WEBHOOK_BYTES)
        async with self._doors.bodies.turn(store.id, body, scope[DEADLINE]):
            record = self._record(store, token, given, body)
            await self._doors.keep(self.name, store, record, scope[DEADLINE])
        return self._taken(store, scope)

    def take_whole(self, scope: Scope, body: bytes) -> WholeRequest | None:
        """The same for a known store. Raises Refused."""
        slug, token = _slug_and_token(scope)
        store = self._stores.known.by_slug.get(slug)
        if store is None or scope["method"] != "POST":
            return None
        record = self._record(store, token, headers(scope), body)
        return WholeRequest(store, record, partial(self._taken, store, scope))

    def _taken(self, store: Store, scope: Scope) -> DoorAnswer:
        if query := scope["query_string"]:
            self._doors.first_deliveries.note(store.id, query)
        return TAKEN

    def _record(self, store: Store, token: str, given: RequestHeaders, body: bytes) -> Record:
        """Raises Refused."""
        now = self._clock.now()
        self._verify(store, token, given, body, now)  # before any byte of the body is read as JSON
        (event, subject), payload = _peek(body, store.account_id)
        record = Record.accepted(
            topics.WEBHOOKS.name,
            key=f"{store.key}:{subject}".encode(),
            value=body,
            store=store.id,
            event=event,
            origin="webhook",
            received_at=now,
            extra=_extra(store, given),
        )
        return store.sealer.sealed(record, of_webhook(event, subject, payload)) if store.sealer else record

    def _verify(self, store: Store, token: str, given: RequestHeaders, body: bytes, now: datetime) -> None:
        """A store that does not exist fails where a wrong signature does. Raises Refused."""
        if store.unsigned:
            if not has_path_token(store.path_tokens_sha256, token):
                raise Refused(Reason.BAD_SIGNATURE)
            return
        timestamp, signature = given.get(_TIMESTAMP), given.get(_SIGNATURE)
        if timestamp is None or signature is None or token:
            raise Refused(Reason.UNSIGNED if store.slug else Reason.UNKNOWN_STORE)
        if not signed_by(store.signers, timestamp, signature, body):
            raise Refused(Reason.BAD_SIGNATURE if store.slug else Reason.UNKNOWN_STORE)
        at = unix_seconds(timestamp)
        if at is None or abs(now.timestamp() - at) > self._skew_seconds:
            raise Refused(Reason.SKEWED)


def _slug_and_token(scope: Scope) -> tuple[str, str]:
    slug, _, token = scope["path"][len(PREFIX) :].partition("/")
    return slug, token


def _extra(store: Store, given: RequestHeaders) -> RecordHeaders:
    """Chatwoot's send time, where the signature vouches for it, and its delivery id."""
    extra: RecordHeaders = ()
    if not store.unsigned:
        extra += (("chatwoot-timestamp", given[_TIMESTAMP]),)
    if (delivery := given.get(_DELIVERY)) and delivery.isascii():
        extra += (("chatwoot-delivery", delivery[:_LONGEST_DELIVERY_ID]),)
    return extra
