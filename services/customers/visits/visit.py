"""A session of a known customer: the newest word of each part, whatever the order of arrival."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from db.people.visits import Key


@dataclass(frozen=True, slots=True)
class ShopVisit:
    """A session so far; the order of the columns is the table's."""

    store: UUID
    customer_id: str
    session_id: str
    first_at: datetime
    last_at: datetime
    page_at: datetime | None = None
    page_url: str | None = None
    cart_at: datetime | None = None
    cart_minor: int | None = None
    cart_currency: str | None = None
    cart_items: int | None = None

    @property
    def key(self) -> Key:
        return self.store, self.customer_id, self.session_id

    def row(self) -> tuple[Any, ...]:
        return tuple(getattr(self, column.name) for column in fields(self))

    def then(self, other: "ShopVisit") -> "ShopVisit":
        """Both together, whichever came first."""
        page = max(self, other, key=lambda one: (one.page_at is not None, one.page_at, one.page_url))
        cart = max(self, other, key=lambda one: (one.cart_at is not None, one.cart_at, one.cart_minor))
        return replace(
            self,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
            page_at=page.page_at,
            page_url=page.page_url,
            cart_at=cart.cart_at,
            cart_minor=cart.cart_minor,
            cart_currency=cart.cart_currency,
            cart_items=cart.cart_items,
        )
