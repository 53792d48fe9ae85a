"""Tiers by a store's own rules."""

import pytest
from pydantic import ValidationError

from schemas.tiers import DEFAULT, TierRules, TierThreshold

_RULES = TierRules.model_validate({"tiers": {"Silver": {"spent": 100}, "Gold": {"spent": 1_000, "orders": 5}}})


@pytest.mark.parametrize(
    ("spent", "orders", "tier"),
    [(0, 1, None), (99.99, 4, None), (100, 1, "Silver"), (0, 5, "Gold"), (1_000, 1, "Gold"), (10**9, 99, "Gold")],
)
def test_either_threshold_is_enough_and_a_tier_left_out_is_nobodys(spent: float, orders: int, tier: str | None) -> None:
    assert _RULES.tier(spent, orders) == tier


def test_without_rules_of_its_own_everybody_with_an_order_is_bronze() -> None:
    assert [DEFAULT.tier(spent, 1) for spent in (0, 500, 2_000, 5_000)] == ["Bronze", "Silver", "Gold", "Platinum"]


@pytest.mark.parametrize(
    ("tiers", "reason"),
    [
        ({"Gold": {}}, "give `spent`, `orders`, or both"),
        ({"Silver": {"spent": 10}, "Gold": {"spent": 10}}, "`spent` must rise from Bronze to Platinum"),
        ({"Silver": {"orders": 9}, "Platinum": {"orders": 3}}, "`orders` must rise"),
        ({"Diamond": {"spent": 10}}, "Input should be 'Bronze', 'Silver', 'Gold' or 'Platinum'"),
        ({"Gold": {"spent": -1}}, "greater than or equal to 0"),
    ],
)
def test_rules_by_which_a_tier_could_never_be_seen_are_refused(tiers: object, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TierRules.model_validate({"tiers": tiers})


def test_a_threshold_of_orders_says_nothing_of_spending() -> None:
    assert not TierThreshold(orders=3).reached(10**9, 2)
