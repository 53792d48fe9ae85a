"""When the demo may say that all it sent is consumed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.demo import show, store_numbers
from services.control.ledger.answer import Audit, AuditLine, SpooledFile
from services.kernel.settings import Settings

_SPOOLED = SpooledFile("host", "/spool", "1.sqlite3", 4, datetime.now(UTC), 1, 0, 0)
_UNREAD = AuditLine(
    None, "topic", 0, 0, 0, 0, 0, 0, 0, 0, 0, None, 0, 4, in_flight=4, unreachable=0, truncated=0, halted=None
)


@pytest.mark.parametrize(
    "waiting", [Audit([], [], spooled=[_SPOOLED]), Audit([_UNREAD], [])], ids=["in a spool", "in the log"]
)
async def test_demo_waits_for_every_record_wherever_it_lies(
    waiting: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, settled = [waiting, waiting, Audit([], [])], Audit([], [])

    async def audit(_: Settings) -> Audit:
        return found.pop(0) if found else settled

    async def nobody_due(_: Settings) -> int:
        return 0

    monkeypatch.setattr(show, "audit", audit)
    monkeypatch.setattr(store_numbers, "people_due", nobody_due)

    assert (await show.drained(Settings(data_directory=tmp_path))).under_way == 0
