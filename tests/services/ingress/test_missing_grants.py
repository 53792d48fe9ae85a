"""What a role may no longer do is told by the loop that needs it; only what passes by itself is waited for."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import stores
from db.records import acknowledged, refusals
from services.ingress.acknowledged import AcknowledgedWriter
from services.ingress.doors.refusals import Reason
from services.ingress.metrics import IngressMetrics
from services.ingress.refusal_counts import RefusalCounts
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.stores.store_cache import StoreCache
from services.kernel import Process, Settings


def _acknowledged(process: Process) -> Callable[[], Awaitable[bool]]:
    return AcknowledgedWriter(process, SpoolMetrics(process.registry)).write


def _refusals(process: Process) -> Callable[[], Awaitable[bool]]:
    counts = RefusalCounts(process)
    counts.note("webhooks", next(iter(Reason)), None)
    return counts.write


def _stores(process: Process) -> Callable[[], Awaitable[bool]]:
    return StoreCache(process, IngressMetrics(process.registry)).refresh


@pytest.mark.parametrize(
    ("loop", "module", "statement"),
    [(_acknowledged, acknowledged, "put"), (_refusals, refusals, "add"), (_stores, stores, "door_versions")],
)
async def test_a_missing_grant_is_no_reason_to_wait_in_silence_and_an_outage_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: Any, module: Any, statement: str
) -> None:
    process = Process(settings.model_copy(update={"data_directory": tmp_path}))
    work, raised = loop(process), list[Exception]()

    async def raising(*_: Any) -> None:
        raise raised[-1]

    monkeypatch.setattr(module, statement, raising)
    raised.append(asyncpg.CannotConnectNowError("the database system is starting up"))
    assert await work() is False
    raised.append(asyncpg.InsufficientPrivilegeError("permission denied"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await work()
    await process.close()
