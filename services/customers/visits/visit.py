"""A session of a known customer: the newest word of each part, whatever the order of arrival."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from db.people.visits import Key, VisitRow
from db.pool import Row
from services.customers.events import categories_json

MOST_CATEGORIES = 50  # of a session; a robot looks at all
_MOST_VIEWED = 1_000


@dataclass(frozen=True, slots=True)
class ShopVisit:
    """A session so far."""

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
    viewed: frozenset[int] = frozenset()  # when a page was, in milliseconds
    categories: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        return self.store, self.customer_id, self.session_id

    @property
    def pages(self) -> int:
        """How many pages were viewed, up to a thousand."""
        return len(self.viewed)

    @classmethod
    def of(cls, row: Row) -> "ShopVisit":
        """As it was kept."""
        return cls(
            store=row["organization_id"],
            customer_id=row["customer_id"],
            session_id=row["session_id"],
            first_at=row["first_at"],
            last_at=row["last_at"],
            page_at=row["page_at"],
            page_url=row["page_url"],
            cart_at=row["cart_at"],
            cart_minor=row["cart_minor"],
            cart_currency=row["cart_currency"],
            cart_items=row["cart_items"],
            viewed=frozenset(row["viewed"]),
            categories=frozenset(row["categories"]),
        )

    def row(self) -> VisitRow:
        """As the table has it."""
        return VisitRow(
            organization_id=self.store,
            customer_id=self.customer_id,
            session_id=self.session_id,
            first_at=self.first_at,
            last_at=self.last_at,
            page_at=self.page_at,
            page_url=self.page_url,
            cart_at=self.cart_at,
            cart_minor=self.cart_minor,
            cart_currency=self.cart_currency,
            cart_items=self.cart_items,
            viewed="{" + ",".join(map(str, sorted(self.viewed))) + "}",
            categories=categories_json(self.categories),
        )

    def then(self, other: "ShopVisit") -> "ShopVisit":
        """Both together, whichever came first."""
        # None before every moment; of one moment the greater text, so that any order of arrival ends the same.
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
            # the first so many, whichever came first
            viewed=frozenset(sorted(self.viewed | other.viewed)[:_MOST_VIEWED]),
            # sorted before it is cut, so that any order of arrival ends the same
            categories=frozenset(sorted(self.categories | other.categories)[:MOST_CATEGORIES]),
        )
