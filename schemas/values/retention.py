"""How long a store keeps what: each kind with the days where the store says nothing, and those that it may say."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

RetentionKind = Literal["chat", "widget", "visits", "shop", "dead_letters", "audit_log", "exports", "logs"]


class RetentionRule(NamedTuple):
    """`days` where the store says nothing; between `fewest` and `most`, or as it is where both are equal."""

    what: str
    days: int
    fewest: int
    most: int


RETENTION: Mapping[RetentionKind, RetentionRule] = {
    "chat": RetentionRule("conversations, messages, ratings; daily figures stay", 730, 31, 3660),
    # Last month's partition is always there.
    "widget": RetentionRule("single events of pages; daily counts stay", 365, 31, 3660),
    "visits": RetentionRule("current page and cart of customers", 30, 1, 365),
    # Tiers may count a year.
    "shop": RetentionRule("orders and registrations", 1825, 400, 3660),
    "dead_letters": RetentionRule("what records held that were set aside; position and reason stay", 30, 7, 365),
    # Who misused it must not be able to shorten its traces away.
    "audit_log": RetentionRule("who changed or was shown what", 730, 90, 3660),
    "exports": RetentionRule("exported files, until fetched", 7, 7, 7),
    "logs": RetentionRule("the processes' logs: the operator's matter, not swept", 90, 90, 90),
}
