"""Let a process ask an API of the test's own for a store."""

import uuid

import httpx
from prometheus_client import CollectorRegistry

from db.pool import Pool
from services.kernel import Chatwoot, Process


async def give_token(admin: Pool, process: Process, organization: uuid.UUID) -> None:
    """Let the store's API be asked."""
    sealed = process.secrets.seal("token", organization=organization, column="api_access_token")
    async with admin.acquire() as conn:
        await conn.execute(
            "update public.chatwoot_accounts set api_access_token = $2 where organization_id = $1", organization, sealed
        )


async def answered_by(process: Process, transport: httpx.AsyncBaseTransport) -> None:
    """Let the process's calls be answered there."""
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(process.settings, process.clock, CollectorRegistry(), transport)
