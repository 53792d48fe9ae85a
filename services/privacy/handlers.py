"""Erasures that the topic tells of: those that this database knows are old news, the others are to be done again."""

from collections.abc import Sequence
from datetime import timedelta

from db.pool import Connection
from db.privacy import requests
from services.kernel import Record
from services.kernel.secrets import Secrets
from services.privacy.erasures.announcement import Announced, StoreAnnouncement

COLUMN = "privacy_requests.subject"  # what the announcement is sealed for
_DEADLINE = timedelta(days=30)


async def keep(conn: Connection, secrets: Secrets, events: Sequence[Announced]) -> set[Record]:
    """Only a database that was put back from before an erasure does not know it: its ledger is from before, too, so the
    kernel reads the topic again from there."""
    news = set()
    for event in events:
        erasure, store = event.erasure, event.record.store
        if isinstance(erasure, StoreAnnouncement):
            if await _keep_store(conn, erasure):
                news.add(event.record)
        elif await requests.add(
            conn, store, erasure.request, kind="erasure", source="topic", asked_at=erasure.asked_at,
            deadline=erasure.asked_at + _DEADLINE,
            subject=secrets.seal(erasure.written(), organization=store, column=COLUMN),
        ):  # fmt: skip
            news.add(event.record)
    return news


async def _keep_store(conn: Connection, erasure: StoreAnnouncement) -> bool:
    """It was confirmed when it was done: the worker does it again."""
    return await requests.add(
        conn, erasure.store, erasure.request, kind="store erasure", source="topic", asked_at=erasure.asked_at,
        deadline=erasure.asked_at + _DEADLINE, subject=None, state="running",
    )  # fmt: skip
