"""What holds up the loop of doors that have a fault; of others it is a request for nothing."""

import asyncio

from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant

PATH = "/slow"
_SECONDS = 3.0


async def hold_up(tenant: Tenant) -> None:
    """Again and again, each as soon as the last was answered."""
    until = asyncio.get_running_loop().time() + _SECONDS
    while asyncio.get_running_loop().time() < until:
        await tenant.get(PATH)


ACTS = named(hold_up)
