"""From which spending, or how many orders, on a customer has a tier: a store's own rules, or these."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Tier = Literal["Bronze", "Silver", "Gold", "Platinum"]
TIERS: tuple[Tier, ...] = Tier.__args__  # type: ignore[attr-defined]  # from the lowest
_MOST_UNITS = 10**12
_MOST_ORDERS = 10**6


class TierThreshold(BaseModel):
    """Reached by either: so much spent (whole units of the store's currency), or so many orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spent: Annotated[int, Field(strict=True, ge=0, le=_MOST_UNITS)] | None = None
    orders: Annotated[int, Field(strict=True, ge=1, le=_MOST_ORDERS)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.spent is None and self.orders is None:
            raise ValueError("give `spent`, `orders`, or both")
        return self

    def reached(self, spent: float, orders: int) -> bool:
        """By one of the two."""
        return (self.spent is not None and spent >= self.spent) or (self.orders is not None and orders >= self.orders)


class TierRules(BaseModel):
    """`within` a year: only what was paid (or ordered) in the last 365 days counts; a tier left out is nobody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    within: Literal["ever", "year"] = Field(
        "ever", description="which orders count: all, or those of the last 365 days"
    )
    tiers: dict[Tier, TierThreshold]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        """Of two tiers the higher needs more, or the lower could never be seen."""
        for name in ("spent", "orders"):
            steps = [
                step for one in TIERS if one in self.tiers and (step := getattr(self.tiers[one], name)) is not None
            ]
            if steps != sorted(set(steps)):
                raise ValueError(f"`{name}` must rise from Bronze to Platinum")
        return self

    def tier(self, spent: float, orders: int) -> Tier | None:
        """The highest that is reached by what was spent, in whole units, or ordered."""
        reached = (one for one in reversed(TIERS) if one in self.tiers and self.tiers[one].reached(spent, orders))
        return next(reached, None)


# Where a store has none of its own; other currencies than the store's are not converted and do not count.
DEFAULT = TierRules(
    tiers={
        "Bronze": TierThreshold(spent=0),
        "Silver": TierThreshold(spent=500),
        "Gold": TierThreshold(spent=2_000),
        "Platinum": TierThreshold(spent=5_000),
    }
)
