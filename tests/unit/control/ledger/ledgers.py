"""What the audit sees of one group in one partition; a test mentions only what matters."""

from datetime import UTC, datetime
from typing import Any

from db.pool import Row
from services.control.ledger.reckoning import Observation
from services.control.ledger.topic_logs import Cluster, Log

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = ("figures", "webhooks", 0)


def ledger_row(first: int = 0, next_: int = 0, **told: Any) -> Row:
    counts = dict.fromkeys(("applied", "duplicate", "ignored", "dead", "lost", "hollow", "redelivered"), 0)
    place = {"consumer_group": KEY[0], "topic": KEY[1], "partition": KEY[2], "cluster_id": "here"}
    position = {"consumed": next_ - first, "next_offset": next_, "anchor_offset": None, "updated_at": NOON}
    return {**place, **counts, **position, **told}


def acknowledged(end: int, **told: Any) -> list[Row]:
    place = {"topic": KEY[1], "partition": KEY[2], "cluster_id": "here"}
    return [{**place, "highest_offset": end - 1, "updated_at": NOON, **told}] if end else []


def seen(
    rows: list[Row], log: tuple[int, int] | None, *, later: int = 0, strangers: bool = False, **told: Any
) -> Observation:
    logs = {KEY[1:]: Log(*log)} if log else {}
    found = {"acknowledged": [], "closed": []} | told
    return Observation(
        ledger=rows,
        cluster=Cluster("here", logs),
        later={KEY: later},
        strangers=frozenset({KEY}) if strangers else frozenset(),
        now=NOON,
        **found,
    )
