"""Every hostile act by name: an async function of a `Tenant`. One more is one more function in its module's ACTS.

What only doors with a fault feel (slow_doors.py) is in FELT_BY_SLOW_DOORS.
"""

from collections.abc import Awaitable, Callable

from tests.hostile.acts import answers, beacons, connections, held_up, reports, shop_events, topics, webhooks
from tests.hostile.tenant import Tenant

Act = Callable[[Tenant], Awaitable[None]]


ACTS: dict[str, Act] = {
    name: act
    for module in (webhooks, beacons, shop_events, connections, topics, reports, answers)
    for name, act in module.ACTS.items()
}
FELT_BY_SLOW_DOORS: dict[str, Act] = held_up.ACTS
