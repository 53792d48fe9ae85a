"""What Chatwoot should hold of a person: the specification's attributes, as far as the store allows them to leave."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from schemas.attributes import PUSHED, VOLATILE
from schemas.bounds import EARLIEST, LATEST
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
    cancelled: bool
    url: str | None = None

    @property
    def status(self) -> str:
        """The last thing that changes what the customer may expect."""
        if self.cancelled:
            return "cancelled"
        if self.refunded_minor:
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


def attributes(person: KnownPerson, allowed: Collection[str] | None = None) -> dict[str, Any]:
    """The wanted attributes; None where there is nothing to say. `allowed` None means the specification's list."""
    days = _zone(person.timezone)
    every = {
        "store_id": str(person.store),
        "user_id": str(person.user_id) if person.user_id else None,
        "customer_tier": person.customer_tier,
        "support_priority": PRIORITY_BY_TIER.get(person.customer_tier or ""),
        "order_count": person.order_count,
        "total_spent": amounts(dict(person.spent), person.currency),
        "average_order_value": _average(person),
        "last_order_date": _date(person.last_order_at, days),
        "purchase_frequency": _frequency(person),
        "favorite_categories": ", ".join(person.favorite_categories) or None,
        "recent_orders": _recent(person, days),
        "last_order_status": person.recent_orders[0].status if person.recent_orders else None,
        "last_order_url": person.recent_orders[0].url if person.recent_orders else None,
        "registration_date": _date(person.registered_at, days),
        "preferred_language": person.preferred_language,
        "marketing_consent": person.marketing_consent,
        "previous_tickets": person.tickets or None,
        "satisfaction_score": person.satisfaction,
        "escalation_history": person.escalated,
        **_volatile(person.visit),
    }
    names = ALL if allowed is None else ALL & set(allowed)
    return {name: every[name] for name in sorted(names)}


def _volatile(visit: CurrentVisit | None) -> dict[str, Any]:
    if visit is None:
        return dict.fromkeys(VOLATILE)
    cart = None if visit.cart_minor is None else written(visit.cart_minor, visit.cart_currency or "")
    return {
        "current_cart_value": cart,
        "current_cart_items": visit.cart_items,
        "last_page_visited": visit.page_url,
        "session_duration": visit.seconds,
    }


@lru_cache
def _zone(name: str) -> ZoneInfo:
    """UTC where this machine does not know the zone: one store's typing error must not stop the others."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.warning("zone_is_unknown", zone=name)
        return ZoneInfo("UTC")


def _date(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """The store's own calendar day, as "2024-01-15". An earlier release kept moments that no calendar has."""
    if moment is None or not EARLIEST <= moment < LATEST:
        return None
    return moment.astimezone(zone).date().isoformat()


def _recent(person: KnownPerson, zone: ZoneInfo) -> str | None:
    """ "#1042 2024-01-15 €450.00 paid; …", the newest first."""
    return "; ".join(" ".join(filter(None, _order_words(one, zone))) for one in person.recent_orders) or None


def _order_words(order: RecentOrder, zone: ZoneInfo) -> tuple[str | None, ...]:
    price = None if order.total_minor is None or not order.currency else written(order.total_minor, order.currency)
    return order.number, _date(order.at, zone), price, order.status


def _average(person: KnownPerson) -> str | None:
    """Per paid order in the store's currency, to the nearest minor unit."""
    orders = person.paid_orders.get(person.currency)
    if not orders:
        return None
    return written((2 * person.spent[person.currency] + orders) // (2 * orders), person.currency)


def _frequency(person: KnownPerson) -> str | None:
    if person.order_count < 2 or person.first_order_at is None or person.last_order_at is None:
        return None
    gap = (person.last_order_at - person.first_order_at).days / (person.order_count - 1)
    return next((name for days, name in _FREQUENCIES if gap <= days), "yearly")
