"""Shopify's door: POST /shopify/{store}, for its privacy topics; what else it sends is answered 2xx and not kept.

Its signature covers the body and nothing else, without a time: who reads the record goes by the body, and a repetition
has no effect. A rightly signed delivery is never answered 4xx for being of no use, or Shopify ends the subscription;
one that is a duty and cannot be read is kept all the same, so that it becomes a dead letter that somebody sees.
A store that seals has a duty sealed for whom it names; one of the whole shop, or that cannot be read, for the store.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope

from schemas import topics
from schemas.presets.shopify_privacy import PREFIX as EVENT_PREFIX
from schemas.presets.shopify_privacy import PRIVACY_TOPICS, ShopifyMessage
from schemas.values import json_text
from services.ingress.doors.answer import TAKEN, DoorAnswer
from services.ingress.doors.door import DoorContext
from services.ingress.doors.refusals import Reason, Refused, wrong_method
from services.ingress.doors.request import DEADLINE, EVENTS_BYTES, RequestHeaders, headers
from services.ingress.stores.store import Store
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject
from services.kernel.sealing.whose import of_customer

PREFIX = "/shopify/"
_SIGNATURES = (b"x-shopify-hmac-sha256", b"shopify-hmac-sha256")  # Shopify's newer form drops the x-
_TOPICS = (b"x-shopify-topic", b"shopify-topic")
_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_SHOPS = (b"x-shopify-shop-domain", b"shopify-shop-domain")


class Shopify:
    """Limit, verify, see whose it is, key, keep."""

    name = "shopify"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._clock = doors.process.clock

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names, proved or not."""
        return self._doors.stores.known.by_slug.get(scope["path"][len(PREFIX) :])

    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer:
        """204 once it is durable, or of no use. Raises Refused, NoRoom."""
        if scope["method"] != "POST":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"POST"))
        given = headers(scope)
        store = await self._doors.stores.named(scope["path"][len(PREFIX) :], scope[DEADLINE])
        body = await self._doors.bodies.read(scope, given, receive, EVENTS_BYTES)
        _verify(store, _first(given, _SIGNATURES), body)
        topic = _first(given, _TOPICS).decode("ascii", "replace")
        if not topic:
            raise Refused(
                Reason.NO_EVENT, "the header X-Shopify-Topic is missing", store=store.id
            )  # Shopify itself always says
        _refuse_another(store, body, _first(given, _SHOPS).decode("ascii", "replace"))
        if topic not in PRIVACY_TOPICS:
            self._doors.metrics.dropped(self.name, "unused_topic")
            return TAKEN
        record = Record.accepted(
            topics.SHOP_EVENTS.name,
            # One partition for what is said again, so that one reader sees both, one after the other.
            key=f"{store.key}:shopify:{hashlib.sha256(body).hexdigest()[:32]}".encode(),
            value=body,
            store=store.id,
            event=EVENT_PREFIX + topic,
            origin="shop",
            received_at=self._clock.now(),
        )
        kept = store.sealer.sealed(record, _whose(body)) if store.sealer else record
        await self._doors.keep(self.name, store, kept, scope[DEADLINE])
        return TAKEN


def _verify(store: Store, signature: bytes, body: bytes) -> None:
    """Raises Refused; a store that does not exist fails where a wrong signature does."""
    if not signature:
        raise Refused(Reason.UNSIGNED if store.slug else Reason.UNKNOWN_STORE)
    try:
        given = base64.b64decode(signature, validate=True)
    except binascii.Error:
        given = b""
    # All of them, whichever is right.
    right = [hmac.compare_digest(hmac.digest(key, body, "sha256"), given) for key in store.shopify_keys]
    if not any(right):
        raise Refused(Reason.BAD_SIGNATURE if store.slug else Reason.UNKNOWN_STORE)


def _refuse_another(store: Store, body: bytes, header: str) -> None:
    """An app has one secret for all its shops. A duty towards another shop's customers is not lost in silence.

    The body's word counts, where it has one. Raises Refused, also for what is no JSON object.
    """
    try:
        shop = json_text.read(_OBJECT.validate_json, body).get("shop_domain", header or store.shopify_domain)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
        raise Refused(Reason.NOT_JSON if fault == "json_invalid" else Reason.NO_EVENT) from error
    if not (isinstance(shop, str) and shop.lower() == store.shopify_domain):
        raise Refused(Reason.OTHER_ACCOUNT, store=store.id)


def _whose(body: bytes) -> Iterable[Subject]:
    """As whoever does the duty reads it."""
    try:
        named = json_text.read(ShopifyMessage.model_validate_json, body).named
    except ValidationError:
        return ()
    return of_customer(named.id, named.email, named.phone)


def _first(given: RequestHeaders, names: tuple[bytes, ...]) -> bytes:
    return next((given[name] for name in names if name in given), b"")
