"""An order is a function of the set of its facts: any order of arrival, any repetition, the same row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from db.people.customers import OrderRow
from schemas.bounds import MOST_INT8
from services.customers.events import categories_json, of_a_file, rank

PLACED, PAID, REFUNDED, CANCELLED = "order.placed", "order.paid", "order.refunded", "order.cancelled"
REINSTATED = "order.reinstated"
_BEFORE = datetime.min.replace(tzinfo=UTC)  # a file's line that was read before it was written down when


@dataclass(frozen=True, slots=True)
class OrderFact:
    """One thing that happened to an order, as one event says it.

    `is_total`: a refund that says what came back in all up to its moment, as a file does, not one of several.
    """

    kind: str
    at: datetime
    event_id: str
    customer_id: str
    amount_minor: int | None = None
    currency: str | None = None
    order_number: str | None = None
    order_url: str | None = None
    categories: Sequence[str] | None = None
    is_total: bool = False
    read_at: datetime | None = None  # when the file's line was read

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "OrderFact":
        """As it was kept. Of one moment the greater rank counts, and ids are unique only with their source."""
        return cls(
            kind=row["kind"],
            at=row["happened_at"],
            event_id=f"{rank(row['event_id'], row['read_at'])} {row['source']}",
            customer_id=row["customer_id"],
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            order_number=row["order_number"],
            order_url=row["order_url"],
            categories=row["categories"],
            is_total=of_a_file(row["source"], row["event_id"], REFUNDED),
            read_at=row["read_at"] or (_BEFORE if of_a_file(row["source"], row["event_id"], row["kind"]) else None),
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What follows from the facts; minor units, None where no fact says it."""

    customer_id: str
    currency: str | None
    total_minor: int | None
    refunded_minor: int
    placed_at: datetime | None
    paid_at: datetime | None
    refunded_at: datetime | None
    cancelled_at: datetime | None
    order_number: str | None
    order_url: str | None
    categories: Sequence[str]

    def row(self, store: UUID, order_id: str) -> OrderRow:
        """As the orders table has it."""
        return OrderRow(
            organization_id=store,
            order_id=order_id,
            customer_id=self.customer_id,
            currency=self.currency,
            total_minor=self.total_minor,
            refunded_minor=self.refunded_minor,
            placed_at=self.placed_at,
            paid_at=self.paid_at,
            refunded_at=self.refunded_at,
            cancelled_at=self.cancelled_at,
            order_number=self.order_number,
            order_url=self.order_url,
            categories=categories_json(self.categories),
        )


def order(facts: Iterable[OrderFact]) -> Order:
    """The newest fact names the customer; the newest `placed` the price, or `paid` where none was seen."""
    every = sorted(facts, key=lambda fact: (fact.at, fact.event_id))
    ordered = _without_corrected(every)
    # `paid` bears the amount, too: an order whose `placed` was lost still has a price.
    priced = _last(ordered, PLACED) or _last(ordered, PAID)
    currency, total = (priced.currency, priced.amount_minor) if priced else (None, None)
    return Order(
        customer_id=ordered[-1].customer_id,
        currency=currency,
        total_minor=total,
        refunded_minor=_refunded(ordered, currency, total),
        placed_at=min(_moments(ordered, PLACED), default=None),
        paid_at=min(_moments(ordered, PAID), default=None),
        # Nothing comes back by a refund of nothing, as of one that only restocks.
        refunded_at=max(
            (fact.at for fact in ordered if fact.kind == REFUNDED and fact.amount_minor != 0), default=None
        ),
        cancelled_at=_cancelled_at(ordered),
        # What a line that corrects another leaves out stays as it was.
        order_number=_newest(ordered, every, "order_number"),
        order_url=_newest(ordered, every, "order_url"),
        categories=_newest(ordered, every, "categories") or (),
    )


def _without_corrected(every: list[OrderFact]) -> list[OrderFact]:
    """Without what a line says that was read again since with another moment: that an order was placed on another day.
    Of refunds, which a file tells as a sum up to a moment, the newest moment decides."""
    last = dict[str, datetime]()
    for fact in every:
        if fact.read_at and fact.kind != REFUNDED:
            last[fact.kind] = max(fact.read_at, last.get(fact.kind, fact.read_at))
    return [fact for fact in every if fact.read_at is None or last.get(fact.kind, fact.read_at) == fact.read_at]


def _last(ordered: list[OrderFact], kind: str) -> OrderFact | None:
    return next((fact for fact in reversed(ordered) if fact.kind == kind and fact.amount_minor is not None), None)


def _newest(ordered: list[OrderFact], every: list[OrderFact], name: str) -> Any:
    """The newest word; what an event leaves out stays as it was."""
    facts = chain(reversed(ordered), reversed(every))
    return next((said for fact in facts if (said := getattr(fact, name)) is not None), None)


def _moments(ordered: list[OrderFact], kind: str) -> Iterator[datetime]:
    return (fact.at for fact in ordered if fact.kind == kind)


def _cancelled_at(ordered: list[OrderFact]) -> datetime | None:
    """Since when it is, if it did not come back. Being paid is no coming back: a shop may tell of an older payment when
    it first sees the order."""
    since = None
    for fact in ordered:
        if fact.kind == CANCELLED:
            since = since or fact.at
        elif fact.kind == REINSTATED:
            since = None
    return since


def _refunded(ordered: list[OrderFact], currency: str | None, total: int | None) -> int:
    """Refunds add up; one without an amount returns all. Never more than the price.

    Of totals the newest counts, and what else came back up to its moment is in it: a file that is written anew, or that
    tells what the shop has told as well, returns nothing twice.
    """
    # What came back in another currency cannot be taken from this price.
    refunds = [fact for fact in ordered if fact.kind == REFUNDED and fact.currency in (None, currency)]
    whole = next((fact for fact in reversed(refunds) if fact.is_total), None)
    single = [fact for fact in refunds if not fact.is_total]
    if any(fact.amount_minor is None for fact in (*single, *([whole] if whole else ()))):
        return total or 0
    if whole is None:
        returned = _sum(single)
    else:
        before, after = ([fact for fact in single if (fact.at > whole.at) == is_after] for is_after in (False, True))
        returned = max(whole.amount_minor or 0, _sum(before)) + _sum(after)
    # Never more than the price, or what was spent would fall below zero; without one only the column bounds it.
    return min(returned, MOST_INT8 if total is None else total)


def _sum(refunds: Iterable[OrderFact]) -> int:
    return sum(fact.amount_minor or 0 for fact in refunds)
