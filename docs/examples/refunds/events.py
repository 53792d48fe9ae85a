"""What it hears."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.shop import OrderEvent
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, subjects_named


class Refund(NamedTuple):
    record: Record
    customer_id: str


def read(record: Record) -> Refund | None:
    """None for every other event; what does not fit the schema raises, and is set aside with its reason."""
    if record.event != "order.refunded":
        return None
    return Refund(record, OrderEvent.model_validate_json(record.value).data.customer_id)


def subjects(refund: Refund) -> Iterable[Subject]:
    """Whom it is about: what was received before they were erased is not applied."""
    return subjects_named(customers=[refund.customer_id])
