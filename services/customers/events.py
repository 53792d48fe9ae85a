"""One record of shop.events → what the shop said. Trusted systems write it directly, so it is judged here, too."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from db.people.customers import ShopFactRow
from schemas.shop import AHEAD, TYPES, AnyShopEvent, ConsentEvent, CustomerEvent, OrderEvent, ShopEvent
from schemas.values import json_text
from services.kernel import Invalid, Record
from services.kernel.consent.words import ConsentWord
from services.kernel.forgetting.subjects import Subject, bare_email, subjects_named

IMPORTED = "import"  # the source of what a file of the shop's past says (services.customers.past.shop_line)
_READ = "~"  # after all that ids begin with
_EVENT: TypeAdapter[AnyShopEvent] = TypeAdapter(ShopEvent)


def of_a_file(source: str, event_id: str, kind: str) -> bool:
    """By the shape of the id, too: a shop may call itself so."""
    return source == IMPORTED and event_id.endswith(f"/{kind}")


def rank(event_id: str, read_at: datetime | None) -> str:
    """What decides between two words of one moment, the greater: the file's line that was read last, which is a
    correction; of what the shop itself told, the greater id."""
    if read_at is None:
        return event_id
    return f"{_READ}{read_at.astimezone(UTC).isoformat(timespec='microseconds')} {event_id}"


@dataclass(frozen=True, slots=True)
class ShopFact:
    """One CloudEvent; `profile` holds the fields of the customer that it names, and no others."""

    record: Record
    store: UUID
    source: str
    event_id: str
    kind: str
    at: datetime
    customer_id: str
    order_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    order_number: str | None = None
    order_url: str | None = None
    categories: tuple[str, ...] | None = None
    profile: dict[str, Any] = field(default_factory=dict)
    word: ConsentWord | None = None  # then it is nothing else

    @property
    def key(self) -> tuple[UUID, str, str]:
        """The content key: CloudEvents calls a repeat what has the same source and id."""
        return self.store, self.source, self.event_id

    @property
    def read_at(self) -> datetime | None:
        """When the file's line was read that says it."""
        return self.record.received_at if of_a_file(self.source, self.event_id, self.kind) else None

    @property
    def rank(self) -> str:
        """Of two words of one moment the greater counts."""
        return rank(self.event_id, self.read_at)

    def row(self) -> ShopFactRow:
        """As the facts table has it."""
        return ShopFactRow(
            organization_id=self.store,
            source=self.source,
            event_id=self.event_id,
            kind=self.kind,
            happened_at=self.at,
            customer_id=self.customer_id,
            order_id=self.order_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            order_number=self.order_number,
            order_url=self.order_url,
            categories=None if self.categories is None else categories_json(self.categories),
            read_at=self.read_at,
        )


def read(record: Record) -> ShopFact | None:
    """None for events that nobody uses; a record without an `event` header is asked for its type."""
    if record.event is not None and record.event not in TYPES:
        return None
    event = json_text.read(_EVENT.validate_json, record.value)
    # The door writes the header from the body; who writes the topic directly may leave it out, but not lie.
    if record.event not in (None, event.type):
        raise Invalid("the `event` header names another type than the event itself")
    # The newest word wins: one dated far ahead would win over all that follow.
    if event.time > record.received_at + AHEAD:
        raise Invalid("time lies in the future")
    if isinstance(event, ConsentEvent):
        return _consent(record, event)
    return _customer(record, event) if isinstance(event, CustomerEvent) else _order(record, event)


def subjects(event: ShopFact) -> Iterable[Subject]:
    """The customer, by each name that the shop told."""
    profile = event.profile
    return subjects_named(customers=[event.customer_id], emails=[profile.get("email")], phones=[profile.get("phone")])


def newest(event: ShopFact) -> datetime | None:
    """When it happened; None for a word of consent, which counts whatever its age."""
    return None if event.word else event.at


def categories_json(categories: Iterable[str]) -> str:
    """Kinds of things in a shop's own words, as their columns have them: each once, in one order, so that the same set
    is the same row."""
    return orjson.dumps(sorted(set(categories))).decode()


def _customer(record: Record, event: CustomerEvent) -> ShopFact:
    profile = event.data.model_dump(exclude={"customer_id"}, exclude_none=True)
    if "email" in profile:
        profile["email"] = bare_email(profile["email"])
    if event.type == "customer.registered":
        profile.setdefault("registered_at", event.time)
    return ShopFact(
        record, record.store, event.source, event.id, event.type, event.time, event.data.customer_id, profile=profile
    )


def _consent(record: Record, event: ConsentEvent) -> ShopFact:
    customer, said = event.data.customer_id, event.data
    word = ConsentWord(
        record.store, Subject("customer", customer), said.purpose, said.given, event.time, "shop", said.text_version
    )
    return ShopFact(record, record.store, event.source, event.id, event.type, event.time, customer, word=word)


def _order(record: Record, event: OrderEvent) -> ShopFact:
    return ShopFact(
        record,
        record.store,
        event.source,
        event.id,
        event.type,
        event.time,
        event.data.customer_id,
        order_id=event.data.order_id,
        amount_minor=event.data.amount_minor,
        currency=event.data.currency,
        order_number=event.data.order_number,
        order_url=event.data.order_url,
        categories=event.data.categories,
    )
