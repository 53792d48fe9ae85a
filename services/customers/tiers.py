"""Which tier a customer has: one table, in whole units of the store's own currency."""

from schemas.money import digits

# From so much spent (paid, less refunds, in the store's currency; other currencies are not converted and do not count).
TIERS = (("Platinum", 5_000), ("Gold", 2_000), ("Silver", 500), ("Bronze", 0))


def tier(spent_minor: int, currency: str) -> str:
    """The highest tier whose threshold is reached."""
    spent = spent_minor / 10 ** digits(currency)
    return next((name for name, threshold in TIERS if spent >= threshold), TIERS[-1][0])
