"""Every hostile act by name: an async function of a `Tenant`. One more is one more function in its module's ACTS."""

from collections.abc import Awaitable, Callable

from tests.hostile.acts import answers, beacons, connections, reports, shop_events, topics, webhooks
from tests.hostile.tenant import Tenant

Act = Callable[[Tenant], Awaitable[None]]


ACTS: dict[str, Act] = {
    name: act
    for module in (webhooks, beacons, shop_events, connections, topics, reports, answers)
    for name, act in module.ACTS.items()
}
