"""What a shop's event says, in the service's own words."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.customers.orders import Fact
from services.kernel import Record


@dataclass(frozen=True, slots=True)
class Said:
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
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[UUID, str, str]:
        """The content key: CloudEvents calls a repeat what has the same source and id."""
        return self.store, self.source, self.event_id

    def row(self) -> tuple[Any, ...]:
        """As the facts table has it."""
        return (*self.key, self.kind, self.at, self.customer_id, self.order_id, self.amount_minor, self.currency)


def fact(row: Any) -> Fact:
    """A kept fact as the orders see it."""
    return Fact(
        kind=row["kind"],
        at=row["happened_at"],
        event_id=f"{row['event_id']} {row['source']}",
        customer_id=row["customer_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
    )
