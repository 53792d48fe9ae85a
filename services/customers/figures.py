"""What a customer is to the shop: the newest word on each field of the profile, and figures over the orders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.tiers import DEFAULT, TierRules
from schemas.values.money import digits

PROFILE_FIELDS = ("email", "phone", "name", "preferred_language", "marketing_consent", "registered_at")


@dataclass(slots=True)
class Profile:
    """Values, and for each the moment and event that said it."""

    values: dict[str, Any] = field(default_factory=dict)
    moments: dict[str, str] = field(default_factory=dict)

    @classmethod
    def kept(cls, row: Mapping[str, Any]) -> "Profile":
        return cls({name: row[name] for name in PROFILE_FIELDS}, dict(row["profile_moments"]))

    def take(self, fields: Mapping[str, Any], *, at: datetime, rank: str) -> None:
        """Take each field that is newer than what we have; of one moment the greater rank wins."""
        # one width, so that texts compare as moments do
        moment = f"{at.astimezone(UTC).isoformat(timespec='microseconds')} {rank}"
        for name, value in fields.items():
            if moment > self.moments.get(name, ""):
                self.values[name], self.moments[name] = value, moment


@dataclass(frozen=True, slots=True)
class Figures:
    """Minor units and counts by currency; the tier is reckoned in the store's currency."""

    order_count: int
    spent: dict[str, int]
    paid_orders: dict[str, int]
    first_order_at: datetime | None
    last_order_at: datetime | None
    customer_tier: str | None


def figures(sums: Iterable[Mapping[str, Any]]) -> Figures:
    """From one customer's rows by currency; a customer without orders has the figures of none, and no tier."""
    rows = list(sums)
    paid = [row for row in rows if row["paid"] and row["currency"]]
    spent = {row["currency"]: row["spent"] for row in paid}
    # Every row of a customer bears the store's currency: the statement joins it.
    own = rows[0]["store_currency"] if rows else None
    return Figures(
        order_count=sum(row["orders"] for row in rows),
        spent=spent,
        paid_orders={row["currency"]: row["paid"] for row in paid},
        first_order_at=min((row["first_at"] for row in rows), default=None),
        last_order_at=max((row["last_at"] for row in rows), default=None),
        customer_tier=_tier(rows, own) if own else None,
    )


def _tier(rows: Sequence[Mapping[str, Any]], currency: str) -> str | None:
    """By the store's rules, over all orders or those of the last 365 days; spent is paid, less refunds."""
    rules = TierRules.model_validate(rows[0]["tier_rules"]) if rows[0]["tier_rules"] else DEFAULT
    spent, orders = ("spent", "orders") if rules.within == "ever" else ("spent_in_year", "orders_in_year")
    minor = sum(row[spent] for row in rows if row["currency"] == currency)
    # Yen have no minor unit and dinars three digits: thresholds are in whole units of any currency.
    return rules.tier(minor / 10 ** digits(currency), sum(row[orders] for row in rows))
