"""One record of shop.events → what the shop said. Trusted systems write it directly, so it is judged here, too."""

from pydantic import TypeAdapter

from schemas import json_text
from schemas.shop import AHEAD, TYPES, CustomerEvent, OrderEvent, ShopEvent
from services.customers.said import Said
from services.kernel import Invalid, Record

_EVENT: TypeAdapter[CustomerEvent | OrderEvent] = TypeAdapter(ShopEvent)


def read(record: Record) -> Said | None:
    """None for events that nobody uses; a record without an `event` header is asked for its type."""
    if record.event is not None and record.event not in TYPES:
        return None
    event = json_text.read(_EVENT.validate_json, record.value)
    if record.event not in (None, event.type):
        raise Invalid("the `event` header names another type than the event itself")
    if event.time > record.received_at + AHEAD:
        raise Invalid("time lies in the future")
    return _customer(record, event) if isinstance(event, CustomerEvent) else _order(record, event)


def _customer(record: Record, event: CustomerEvent) -> Said:
    profile = event.data.model_dump(exclude={"customer_id"}, exclude_none=True)
    if event.type == "customer.registered":
        profile.setdefault("registered_at", event.time)
    return Said(
        record, record.store, event.source, event.id, event.type, event.time, event.data.customer_id, profile=profile
    )


def _order(record: Record, event: OrderEvent) -> Said:
    return Said(
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
    )
