"""One accepted POST of a visitor's browser → the sessions of known customers in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.beacons import CONSENT, PlainReport, WidgetReport, moment, reports
from schemas.bounds import Name
from services.customers.visits.visit import ShopVisit
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, subjects_named

_Report = WidgetReport | PlainReport


class Cart(BaseModel):
    """What cart_updated says: whole minor units."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value_minor: int = Field(ge=0, le=10**14)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    items: int = Field(ge=0, le=10**6)


class CategoryPage(BaseModel):
    """What page_viewed may say of a page: the kind of things it shows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    category: Name


@dataclass(frozen=True, slots=True)
class VisitsSeen:
    """One accepted POST, as far as it concerns known customers."""

    record: Record
    visits: tuple[ShopVisit, ...]


def read(record: Record) -> VisitsSeen | None:
    """None for guests: nobody is there to tell."""
    if record.event == CONSENT:
        return None
    visits = tuple(_visits(record.store, reports(record.value)))
    return VisitsSeen(record, visits) if visits else None


def subjects(event: VisitsSeen) -> Iterable[Subject]:
    """The customers, and the sessions in which they were."""
    return subjects_named(
        customers=[one.customer_id for one in event.visits], sessions=[one.session_id for one in event.visits]
    )


def newest(event: VisitsSeen) -> datetime:
    """When a customer was seen last."""
    return max(one.last_at for one in event.visits)


def _visits(store: UUID, told: Iterable[_Report]) -> Iterator[ShopVisit]:
    # Guests are nobody's customer, and without a session there is nothing to add to.
    known = [one for one in told if one.customer_id and one.session_id]
    # sorted, for groupby joins neighbours only
    for _, group in groupby(sorted(known, key=_who), key=_who):
        visit, *rest = [_visit(store, one) for one in group]
        for one in rest:
            visit = visit.then(one)
        yield visit


def _who(report: _Report) -> tuple[str, str]:
    return report.customer_id or "", report.session_id or ""


def _visit(store: UUID, report: _Report) -> ShopVisit:
    at = moment(report.id)
    visit = ShopVisit(store, *_who(report), at, at)
    if report.page_url:
        visit = replace(visit, page_at=at, page_url=report.page_url)
    if report.event_type == "page_viewed" and "category" in report.event_data:
        visit = _with_category(visit, report)
    if report.event_type == "page_viewed":
        visit = replace(visit, viewed=frozenset({report.id.int >> 80}))
    if report.event_type == "cart_updated":
        visit = _with_cart(visit, report)
    return visit


def _with_category(visit: ShopVisit, report: _Report) -> ShopVisit:
    try:
        return replace(visit, categories=frozenset({CategoryPage.model_validate(report.event_data).category}))
    except ValidationError:  # in words of its own: the event is kept, the category is not read
        return visit


def _with_cart(visit: ShopVisit, report: _Report) -> ShopVisit:
    try:
        cart = Cart.model_validate(report.event_data)
    except ValidationError:  # a storefront that reports carts in its own words: the event is kept, the cart is not read
        return visit
    return replace(
        visit,
        cart_at=visit.last_at,
        cart_minor=cart.value_minor,
        cart_currency=cart.currency,
        cart_items=cart.items,
    )
