"""What a customer is to the shop: the newest word on each field of the profile, and figures over the orders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.values.money import digits

# From so much spent (paid, less refunds, in the store's currency; other currencies are not converted and do not count).
TIERS = (("Platinum", 5_000), ("Gold", 2_000), ("Silver", 500), ("Bronze", 0))
PROFILE_FIELDS = ("email", "phone", "name", "preferred_language", "marketing_consent", "registered_at")


@dataclass(slots=True)
class Profile:
    """Values, and for each the moment and event that said it."""

    values: dict[str, Any] = field(default_factory=dict)
    moments: dict[str, str] = field(default_factory=dict)

    @classmethod
    def kept(cls, row: Mapping[str, Any]) -> "Profile":
        return cls({name: row[name] for name in PROFILE_FIELDS}, dict(row["profile_moments"]))

    def take(self, fields: Mapping[str, Any], *, at: datetime, event_id: str) -> None:
        """Take each field that is newer than what we have; of one moment the greater event id wins."""
        # one width, so that texts compare as moments do
        moment = f"{at.astimezone(UTC).isoformat(timespec='microseconds')} {event_id}"
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
        customer_tier=tier(spent.get(own, 0), own) if own else None,
    )


def tier(spent_minor: int, currency: str) -> str:
    """The highest tier whose threshold is reached."""
    # Yen have no minor unit and dinars three digits: thresholds are in whole units of any currency.
    spent = spent_minor / 10 ** digits(currency)
    return next((name for name, threshold in TIERS if spent >= threshold), TIERS[-1][0])
