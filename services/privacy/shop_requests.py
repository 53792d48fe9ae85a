"""shop.events → what Shopify bids a store to do for people becomes a request like any other, once."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from db.pool import Connection
from db.privacy import requests
from schemas.presets.shopify_privacy import PREFIX, PRIVACY_TOPICS, Duty, ShopifyMessage
from schemas.values import json_text
from services.kernel import Invalid, Record
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.kernel.record import store_of
from services.kernel.secrets import Secrets
from services.privacy.asking import Asked

_DEADLINE = timedelta(days=30)
# Shopify tries for four hours, and may say a thing twice up to a day apart. What is said later is a wish of its own.
_REPEATED = timedelta(days=2)
_EVENTS = frozenset(PREFIX + topic for topic in PRIVACY_TOPICS)
_KINDS: dict[Duty, str] = {"show": "access", "forget": "erasure", "forget the shop": "store erasure"}


@dataclass(frozen=True, slots=True)
class ShopRequest:
    """One record; `names` are empty where it is about the whole shop."""

    record: Record
    id: UUID
    duty: Duty
    names: tuple[Subject, ...]
    orders: tuple[str, ...]


def read(record: Record) -> ShopRequest | None:
    """None for what is no duty of this kind. Raises Invalid where one cannot be read: somebody must look at it."""
    if record.event not in _EVENTS:
        return None
    message = json_text.read(ShopifyMessage.model_validate_json, record.value)
    request = store_of(record.id or "")
    if request is None:
        raise Invalid("the `id` header is missing or is no UUID")
    if (duty := message.duty) is None:
        raise Invalid("the body is of none of Shopify's privacy topics")
    names = () if duty == "forget the shop" else _names(message)
    if not names and duty != "forget the shop":
        raise Invalid("it names nobody")
    return ShopRequest(record, request, duty, names, message.orders)


def subjects(event: ShopRequest) -> Iterable[Subject]:
    """Whom it names: who was erased since is not erased or shown again."""
    return event.names


async def keep(conn: Connection, secrets: Secrets, events: Sequence[ShopRequest]) -> set[Record]:
    """A request for each that is no repetition of another."""
    keys = secrets.derive("repeated requests")
    news = set()
    for event in events:
        store, asked_at = event.record.store, event.record.received_at
        asked = Asked(event.names, event.orders, include_chat=event.duty == "show")
        fingerprint = hashlib.blake2b(store.bytes + event.record.value, key=keys[0], digest_size=16).digest()
        if not await requests.repeated(conn, store, event.id, fingerprint, asked_at, within=_REPEATED) and (
            await requests.add(
                conn, store, event.id, kind=_KINDS[event.duty], source="shop", asked_at=asked_at,
                deadline=asked_at + _DEADLINE, subject=asked.sealed(secrets, store) if asked.names else None,
                fingerprint=fingerprint,
            )
        ):  # fmt: skip
            news.add(event.record)
    return news


def _names(message: ShopifyMessage) -> tuple[Subject, ...]:
    """The customer's number first: it is nobody else's."""
    named = message.named
    return tuple(subjects_named(customers=[named.id], emails=[named.email], phones=[named.phone]))
