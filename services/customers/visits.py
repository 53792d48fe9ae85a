"""Widget events of known customers → where they are in the shop just now; the newest word of each session."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from db.people import due
from db.people import visits as table
from db.people.visits import Key
from db.pool import Connection
from schemas import json_text
from schemas.beacons import WidgetReport, moment
from services.kernel import Record

_REPORTS = TypeAdapter(tuple[WidgetReport, ...])


class Cart(BaseModel):
    """What cart_updated says: whole minor units."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value_minor: int = Field(ge=0, le=10**14)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    items: int = Field(ge=0, le=10**6)


@dataclass(frozen=True, slots=True)
class Visit:
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

    def then(self, other: "Visit") -> "Visit":
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


@dataclass(frozen=True, slots=True)
class VisitSeen:
    """One accepted POST, as far as it concerns known customers."""

    record: Record
    visits: tuple[Visit, ...]


def read(record: Record) -> VisitSeen | None:
    """None for guests: nobody is there to tell."""
    visits = tuple(_visits(record.store, json_text.read(_REPORTS.validate_json, record.value)))
    return VisitSeen(record, visits) if visits else None


async def keep(conn: Connection, events: Sequence[VisitSeen]) -> set[Record]:
    """Take what is newer; mark those whom somebody is talking to."""
    keys = {visit.key for event in events for visit in event.visits}
    before = {visit.key: visit for visit in map(_kept, await table.known(conn, keys))}
    now, news = dict(before), set[Record]()
    for event in events:
        for visit in event.visits:
            known = now.get(visit.key)
            after = known.then(visit) if known else visit
            if after != known:
                now[visit.key] = after
                news.add(event.record)
    moved = [visit for key, visit in sorted(now.items()) if visit != before.get(key)]
    await table.put(conn, [visit.row() for visit in moved])
    people = await table.talking(conn, {(visit.store, visit.customer_id) for visit in moved})
    await due.mark(conn, [(store, f"customer:{one}") for store, one in people])
    return news


def _kept(row: Any) -> Visit:
    return Visit(row["organization_id"], *(row[column.name] for column in fields(Visit)[1:]))


def _visits(store: UUID, reports: Iterable[WidgetReport]) -> Iterator[Visit]:
    known = [one for one in reports if one.customer_id and one.session_id]
    for _, group in groupby(sorted(known, key=_who), key=_who):
        visit, *rest = [_visit(store, one) for one in group]
        for one in rest:
            visit = visit.then(one)
        yield visit


def _who(report: WidgetReport) -> tuple[str, str]:
    return report.customer_id or "", report.session_id or ""


def _visit(store: UUID, report: WidgetReport) -> Visit:
    at = moment(report.id)
    visit = Visit(store, *_who(report), at, at)
    if report.page_url:
        visit = replace(visit, page_at=at, page_url=report.page_url)
    if report.event_type == "cart_updated":
        visit = _with_cart(visit, report)
    return visit


def _with_cart(visit: Visit, report: WidgetReport) -> Visit:
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
