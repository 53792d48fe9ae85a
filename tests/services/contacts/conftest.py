"""The sender's bench."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from db.pool import Pool
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.sender import AttributeSender
from services.kernel import Chatwoot, Process, Settings
from tests.answering import Answering
from tests.services.contacts.api import ContactsDouble
from tests.services.contacts.bench import Bench
from tests.unit.kernel.test_chatwoot import Hand


@pytest.fixture
async def bench(settings: Settings, pool: Pool, admin_pool: Pool) -> AsyncIterator[Bench]:
    clock, api = Hand(), ContactsDouble()
    process = Process(settings, clock)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, clock, CollectorRegistry(), Answering(api.answer))
    yield Bench(process, AttributeSender(process, SenderMetrics(process.registry)), api, clock, pool, admin_pool)
    await process.chatwoot.close()
    await process.pool().close()
