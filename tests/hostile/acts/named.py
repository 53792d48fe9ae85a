"""Acts by the names of their functions."""

from collections.abc import Awaitable, Callable

from tests.hostile.tenant import Tenant

Act = Callable[[Tenant], Awaitable[None]]


def named(*acts: Act) -> dict[str, Act]:
    """`many_tokens` is the act many-tokens."""
    return {act.__name__.replace("_", "-"): act for act in acts}
