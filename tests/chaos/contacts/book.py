"""A shop's book, kept by a clerk who knows none of our code: what happened, the events that tell it, and what an agent
should see of each customer in the end.

The book begins with what happened and not with the events, so nothing in it depends on their order or number.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

_FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
_DAYS = 700
_CURRENCIES = ("EUR", "EUR", "EUR", "GBP", "JPY", "KWD", "CHF")
_DECIMALS = {"JPY": 0, "KWD": 3}
_SIGNS = {"EUR": "€", "GBP": "£", "JPY": "¥", "KWD": "KWD ", "CHF": "CHF "}
_KINDS = ("beds", "chairs", "lamps", "rugs", "sofas", "tables")
_PRIORITIES = {"Bronze": "low", "Silver": "medium", "Gold": "high", "Platinum": "urgent"}
Event = dict[str, Any]


@dataclass
class Happened:
    """One order as it went; money in minor units."""

    order_id: str
    customer: str
    currency: str
    price: int
    kinds: tuple[str, ...]
    begun_at: datetime
    paid: bool = False
    returned: int = 0
    cancelled: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def kept(self) -> int:
        return self.price - self.returned

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        if self.returned:
            return "refunded" if self.returned == self.price else "partly refunded"
        return "paid" if self.paid else "placed"


@dataclass
class Book:
    """One store's customers and orders."""

    store: uuid.UUID
    currency: str
    timezone: str
    chance: random.Random
    customers: int
    orders: list[Happened] = field(default_factory=list)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)

    def write(self, events: int) -> None:
        """Let so many events' worth of things happen, and a few more."""
        for number in range(self.customers):
            self._registers(f"c{number}")
        while len(self.told) < events:
            self._order()

    def expected(self) -> dict[str, dict[str, Any]]:
        """Each customer's attributes as Chatwoot should hold them."""
        theirs: dict[str, list[Happened]] = defaultdict(list)
        for one in self.orders:
            theirs[one.customer].append(one)
        return {name: dict(self._attributes(name, theirs[name])) for name in self.profiles}

    def _registers(self, customer: str) -> None:
        at = _FIRST_DAY + timedelta(minutes=self.chance.randrange(_DAYS * 1440))
        language = self.chance.choice(("nl", "de", "en"))
        self._tell("customer.registered", at, customer, preferred_language="fr")
        self._tell("customer.updated", at + timedelta(minutes=5), customer, preferred_language=language)
        self.profiles[customer] = {"registration_date": self._day(at), "preferred_language": language}
        if self.chance.random() < 0.5:  # the newest word counts
            agrees = self.chance.random() < 0.5
            self._tell("customer.updated", at + timedelta(minutes=9), customer, marketing_consent=not agrees)
            self._tell("customer.updated", at + timedelta(minutes=11), customer, marketing_consent=agrees)
            self.profiles[customer]["marketing_consent"] = agrees

    def _order(self) -> None:
        chance, number = self.chance, len(self.orders)
        customer = f"c{chance.randrange(self.customers)}"
        kinds = tuple(sorted(chance.sample(_KINDS, chance.randrange(1, 4))))
        # Of no two orders the same moment: which is the newest must be plain.
        at = _FIRST_DAY + timedelta(minutes=chance.randrange(_DAYS * 1440), microseconds=number)
        one = Happened(f"o{number:07}", customer, chance.choice(_CURRENCIES), chance.randrange(1, 300_000), kinds, at)
        price = {"amount_minor": one.price, "currency": one.currency}
        known = {"order_number": f"#{number}", "order_url": f"https://shop.example/o/{number}", "categories": kinds}
        if chance.random() < 0.1:  # its placing was never told: who pays says what it costs
            one.paid = True
            self._of(one, "paid", 0, **price, **known)
        else:
            self._of(one, "placed", 0, amount_minor=one.price + 7, currency=one.currency, order_number="?")
            self._of(one, "placed", 1, **price, **known)  # the price was wrong, and is mended
            if chance.random() < 0.8:
                one.paid = True
                self._of(one, "paid", 2)
        if one.paid and chance.random() < 0.3:
            self._returns(one)
        if chance.random() < 0.1:
            one.cancelled = True
            self._of(one, "cancelled", 9)
        if chance.random() < 0.02:  # a guest's order becomes a customer's
            one.customer = f"c{chance.randrange(self.customers)}"
            self._of(one, "paid" if one.paid else "placed", 10, **price)
        self.orders.append(one)

    def _returns(self, one: Happened) -> None:
        if self.chance.random() < 0.3:
            one.returned = one.price
            self._of(one, "refunded", 5)  # without an amount: everything
            return
        for part in range(self.chance.randrange(1, 3)):
            amount = self.chance.randrange(1, one.price // 2 + 2)
            self._of(one, "refunded", 5 + part, amount_minor=amount, currency=one.currency)
            one.returned = min(one.price, one.returned + amount)

    def _of(self, one: Happened, kind: str, hours: int, **data: Any) -> None:
        at = one.begun_at + timedelta(hours=hours)
        self._tell(f"order.{kind}", at, one.customer, order_id=one.order_id, **data)

    def _tell(self, kind: str, at: datetime, customer: str, **data: Any) -> None:
        said = {"customer_id": customer, **data}
        self.told.append(
            {"specversion": "1.0", "id": f"e{len(self.told)}", "source": "shop", "type": kind, "time": at.isoformat(),
             "data": said}
        )  # fmt: skip

    def _attributes(self, customer: str, orders: list[Happened]) -> Iterator[tuple[str, Any]]:
        yield "store_id", str(self.store)
        yield from self.profiles[customer].items()
        counted = sorted((one for one in orders if not one.cancelled), key=lambda one: one.begun_at)
        yield "order_count", len(counted)
        yield "total_spent", self._total(counted)
        if counted:
            tier = self._tier(counted)
            yield from (("customer_tier", tier), ("support_priority", _PRIORITIES[tier]))
            yield "last_order_date", self._day(counted[-1].begun_at)
            yield "favorite_categories", _liked(counted)
        if own := [one for one in counted if one.paid and one.currency == self.currency]:
            mean = Decimal(sum(one.kept for one in own)) / len(own)
            yield "average_order_value", _money(int(mean.quantize(Decimal(1), ROUND_HALF_UP)), self.currency)
        if len(counted) > 1:
            whole_days = (counted[-1].begun_at - counted[0].begun_at) // timedelta(days=1)
            mean_days = Fraction(whole_days, len(counted) - 1)
            yield "purchase_frequency", "monthly" if mean_days <= 45 else "quarterly" if mean_days <= 135 else "yearly"
        if newest := sorted(orders, key=lambda one: one.begun_at, reverse=True)[:3]:
            yield "recent_orders", "; ".join(self._line(one) for one in newest)
            yield "last_order_status", newest[0].status
            yield "last_order_url", f"https://shop.example/o/{int(newest[0].order_id[1:])}"

    def _line(self, one: Happened) -> str:
        money = _money(one.price, one.currency)
        return f"#{int(one.order_id[1:])} {self._day(one.begun_at)} {money} {one.status}"

    def _total(self, counted: list[Happened]) -> str:
        sums: dict[str, int] = defaultdict(int)
        for one in counted:
            if one.paid:
                sums[one.currency] += one.kept
        others = sorted(sums.keys() - {self.currency})
        order = [self.currency, *others] if self.currency in sums else others
        return " + ".join(_money(sums[one], one) for one in order) or _money(0, self.currency)

    def _tier(self, counted: list[Happened]) -> str:
        minor = sum(one.kept for one in counted if one.paid and one.currency == self.currency)
        units = Decimal(minor).scaleb(-_DECIMALS.get(self.currency, 2))
        return "Platinum" if units >= 5000 else "Gold" if units >= 2000 else "Silver" if units >= 500 else "Bronze"

    def _day(self, at: datetime) -> str:
        return at.astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d")


def _liked(counted: list[Happened]) -> str:
    times: dict[str, int] = defaultdict(int)
    for one in counted:
        for kind in one.kinds:
            times[kind] += 1
    return ", ".join(sorted(times, key=lambda kind: (-times[kind], kind))[:3])


def _money(minor: int, currency: str) -> str:
    decimals = _DECIMALS.get(currency, 2)
    return _SIGNS[currency] + format(Decimal(minor).scaleb(-decimals), f",.{decimals}f")
