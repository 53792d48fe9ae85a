"""What Chatwoot should hold of a person: the specification's attributes, as far as the store allows them to leave."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from schemas.attributes import PUSHED
from schemas.bounds import EARLIEST, LATEST
from schemas.values.formats import AS_SPECIFIED, DATES, MONEY, Formats
from schemas.values.money import amounts, written

log = structlog.get_logger()
# How urgent a customer's question is by default. A store that thinks otherwise leaves the key off its allow-list.
PRIORITY_BY_TIER = {"Platinum": "urgent", "Gold": "high", "Silver": "medium", "Bronze": "low"}
# Mean days between a person's orders, at most → how often they buy.
_FREQUENCIES = ((45, "monthly"), (135, "quarterly"))
ALL = PUSHED


@dataclass(frozen=True, slots=True)
class CurrentVisit:
    """Where the person is in the shop just now."""

    seconds: int
    page_url: str | None = None
    cart_minor: int | None = None
    cart_currency: str | None = None
    cart_items: int | None = None


@dataclass(frozen=True, slots=True)
class RecentOrder:
    """One of the newest orders; money in minor units."""

    number: str
    at: datetime
    currency: str | None
    total_minor: int | None
    refunded_minor: int
    paid: bool
    refunded: bool  # any of it; the price may be unknown, or nothing, or of another currency than what came back
    cancelled: bool
    url: str | None = None

    @property
    def status(self) -> str:
        """The last thing that changes what the customer may expect."""
        if self.cancelled:
            return "cancelled"
        if self.refunded:
            return "refunded" if self.refunded_minor >= (self.total_minor or 0) else "partly refunded"
        return "paid" if self.paid else "placed"


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A customer as our tables know them; money in minor units by currency."""

    store: UUID
    currency: str
    timezone: str
    user_id: UUID | None = None
    preferred_language: str | None = None
    marketing_consent: bool | None = None
    registered_at: datetime | None = None
    order_count: int = 0
    spent: Mapping[str, int] = field(default_factory=dict)
    paid_orders: Mapping[str, int] = field(default_factory=dict)
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    customer_tier: str | None = None
    tickets: int = 0
    satisfaction: float | None = None
    escalated: bool | None = None  # None: never a conversation
    recent_orders: tuple[RecentOrder, ...] = ()  # the newest first, three at most
    favorite_categories: tuple[str, ...] = ()
    visit: CurrentVisit | None = None  # only while a conversation is open
    formats: Formats = AS_SPECIFIED

    def money(self, minor: int, currency: str) -> str:
        """As the store writes it."""
        return written(minor, currency, MONEY[self.formats.money])

    def number(self, value: float | None) -> float | str | None:
        """A number, or, with a decimal comma, a text."""
        return value if value is None or self.formats.number == "4.5" else str(value).replace(".", ",")


@dataclass(frozen=True, slots=True)
class Derived:
    """One attribute: what it means, from what it is reckoned, and its value for a person; None: nothing to say."""

    meaning: str
    source: str
    value: Callable[[KnownPerson], Any]


def attributes(person: KnownPerson, allowed: Collection[str] | None = None) -> dict[str, Any]:
    """The wanted attributes; None where there is nothing to say. `allowed` None means the specification's list."""
    names = ALL if allowed is None else ALL & set(allowed)
    return {name: DERIVED[name].value(person) for name in sorted(names)}


@lru_cache
def _zone(name: str) -> ZoneInfo:
    """UTC where this machine does not know the zone: one store's typing error must not stop the others."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("zone_is_unknown", zone=name)
        return ZoneInfo("UTC")


def _day(person: KnownPerson, moment: datetime | None) -> str | None:
    """The store's own calendar day, by default "2024-01-15". An earlier release kept moments that no calendar has."""
    if moment is None or not EARLIEST <= moment < LATEST:
        return None
    return moment.astimezone(_zone(person.timezone)).strftime(DATES[person.formats.date])


def _recent(person: KnownPerson) -> str | None:
    """ "#1042 2024-01-15 €450.00 paid; …", the newest first."""
    return "; ".join(" ".join(filter(None, _order_words(person, one))) for one in person.recent_orders) or None


def _order_words(person: KnownPerson, order: RecentOrder) -> tuple[str | None, ...]:
    price = None if order.total_minor is None or not order.currency else person.money(order.total_minor, order.currency)
    return order.number, _day(person, order.at), price, order.status


def _newest(person: KnownPerson) -> RecentOrder | None:
    return person.recent_orders[0] if person.recent_orders else None


def _average(person: KnownPerson) -> str | None:
    """Per paid order in the store's currency, to the nearest minor unit."""
    orders = person.paid_orders.get(person.currency)
    if not orders:
        return None
    return person.money((2 * person.spent[person.currency] + orders) // (2 * orders), person.currency)


def _frequency(person: KnownPerson) -> str | None:
    if person.order_count < 2 or person.first_order_at is None or person.last_order_at is None:
        return None
    gap = (person.last_order_at - person.first_order_at).days / (person.order_count - 1)
    return next((name for days, name in _FREQUENCIES if gap <= days), "yearly")


def _of_visit(value: Callable[[CurrentVisit], Any]) -> Callable[[KnownPerson], Any]:
    return lambda person: value(person.visit) if person.visit else None


def _of_newest(value: Callable[[RecentOrder], Any]) -> Callable[[KnownPerson], Any]:
    return lambda person: value(newest) if (newest := _newest(person)) else None


def _cart(person: KnownPerson) -> str | None:
    visit = person.visit
    return (
        None if visit is None or visit.cart_minor is None else person.money(visit.cart_minor, visit.cart_currency or "")
    )


_ORDERS = "shop events about orders"
_CHATS = "Chatwoot's webhooks"
_VISIT = "beacons of a customer whom the shop vouched for"
_PROFILE = "shop events about the customer, the newest word"
# In the specification's order; docs/attributes.md is written from it.
DERIVED: Mapping[str, Derived] = {
    "customer_tier": Derived(
        "the highest tier whose threshold is reached by what was spent (paid, less refunds, in the store's currency) or"
        " by the number of orders, ever or within the last 365 days",
        f"{_ORDERS}; the store's `tiers`",
        lambda person: person.customer_tier,
    ),
    "order_count": Derived("orders placed or paid and not cancelled", _ORDERS, lambda person: person.order_count),
    "total_spent": Derived(
        "what was paid less what was refunded in the order's own currency, each currency by itself, the store's first",
        _ORDERS,
        lambda person: amounts(dict(person.spent), person.currency, MONEY[person.formats.money]),
    ),
    "last_order_date": Derived(
        "the day of the newest order that counts, in the store's time zone",
        _ORDERS,
        lambda person: _day(person, person.last_order_at),
    ),
    "preferred_language": Derived("as the shop says it", _PROFILE, lambda person: person.preferred_language),
    "store_id": Derived("the store's organization", "the store's row", lambda person: str(person.store)),
    "user_id": Derived(
        "the person's user in the host's own table, where the contact bears its id as identifier",
        _CHATS,
        lambda person: str(person.user_id) if person.user_id else None,
    ),
    "registration_date": Derived(
        "the day of registration, in the store's time zone",
        _PROFILE,
        lambda person: _day(person, person.registered_at),
    ),
    "marketing_consent": Derived(
        "whether the customer may be written to for marketing", _PROFILE, lambda person: person.marketing_consent
    ),
    "support_priority": Derived(
        "by the tier: Platinum urgent, Gold high, Silver medium, Bronze low",
        "`customer_tier`",
        lambda person: PRIORITY_BY_TIER.get(person.customer_tier or ""),
    ),
    "current_cart_value": Derived("of the newest cart of the newest session", _VISIT, _cart),
    "current_cart_items": Derived("items in that cart", _VISIT, _of_visit(lambda visit: visit.cart_items)),
    "last_page_visited": Derived("of the newest session", _VISIT, _of_visit(lambda visit: visit.page_url)),
    "session_duration": Derived(
        "seconds between the first and the last event of that session", _VISIT, _of_visit(lambda visit: visit.seconds)
    ),
    "favorite_categories": Derived(
        "the three kinds of things that stand in most: an order that was not cancelled weighs 3, a session 1",
        f"`categories` of {_ORDERS}; `category` of pages in {_VISIT}",
        lambda person: ", ".join(person.favorite_categories) or None,
    ),
    "purchase_frequency": Derived(
        "by the mean number of days between orders, from two on: monthly up to 45, quarterly up to 135, else yearly",
        _ORDERS,
        _frequency,
    ),
    "average_order_value": Derived(
        "what was spent by the number of paid orders, in the store's currency, to the nearest minor unit",
        _ORDERS,
        _average,
    ),
    "previous_tickets": Derived("resolved conversations", _CHATS, lambda person: person.tickets or None),
    "satisfaction_score": Derived(
        "the mean of the ratings, to one decimal, out of 5", _CHATS, lambda person: person.number(person.satisfaction)
    ),
    "escalation_history": Derived(
        "whether a conversation was opened again after it had been resolved, is urgent, or bears the label `escalated`",
        _CHATS,
        lambda person: person.escalated,
    ),
    "recent_orders": Derived("the newest three orders: number, day, amount, status", _ORDERS, _recent),
    "last_order_status": Derived(
        "of the newest order: placed, paid, partly refunded, refunded, cancelled",
        _ORDERS,
        _of_newest(lambda order: order.status),
    ),
    "last_order_url": Derived("where the shop shows the newest order", _ORDERS, _of_newest(lambda order: order.url)),
}
