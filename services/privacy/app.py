"""privacy.requests → erasures that an older database must do again; and all requests go on until they are settled."""

import asyncio
from collections.abc import Sequence
from functools import partial

from db.pool import Connection
from schemas import topics
from services.kernel import Process, Record, consume
from services.kernel.every import every
from services.kernel.forgetting.sieve import nobody
from services.privacy import handlers, seal_months, shop_requests
from services.privacy.consent import api, applying
from services.privacy.erasures import announcement
from services.privacy.erasures.announcement import Announced
from services.privacy.exports import requested
from services.privacy.retention import api as retention_api
from services.privacy.retention.in_chatwoot import ChatwootDeletionMetrics, ChatwootDeletions
from services.privacy.retention.sweep import Sweep, SweepMetrics
from services.privacy.shop_requests import ShopRequest
from services.privacy.worker import PrivacyMetrics, PrivacyWorker

_PAUSE_SECONDS = 20.0
_CONSENT_SECONDS = 5.0
_HOUR_SECONDS = 3_600.0
_DAY_SECONDS = 86_400.0
_SWEEP_SECONDS = 600.0  # what is over leaves nightly; what could not, as soon as it can
_MEASURE_SECONDS = 60.0


def add_to(process: Process) -> None:
    """Consume what was erased, and carry on with what is open in one process of the installation."""
    wake = asyncio.Event()

    async def keep(conn: Connection, events: Sequence[Announced]) -> set[Record]:
        news = await handlers.keep(conn, process.secrets, events)
        if news:
            wake.set()
        return news

    consume(
        process,
        topics.PRIVACY_REQUESTS,
        group="privacy",
        read=announcement.read,
        apply=keep,
        subjects=nobody,  # hashes alone
    )

    async def keep_requests(conn: Connection, events: Sequence[ShopRequest]) -> set[Record]:
        news = await shop_requests.keep(conn, process.secrets, events)
        if news:
            wake.set()
        return news

    consume(
        process,
        topics.SHOP_EVENTS,
        group="requests",
        read=shop_requests.read,
        apply=keep_requests,
        subjects=shop_requests.subjects,
    )
    _work_on(process, wake)
    api.add_to(process)
    retention_api.add_to(process)


def _work_on(process: Process, wake: asyncio.Event) -> None:
    """What nobody asks for by a record, and what goes on until it is settled."""
    # On every machine: the files lie where they were made.
    every(process, partial(requested.forget_old, process), name="old exports", seconds=_HOUR_SECONDS, needed=False)
    worker = PrivacyWorker(process, PrivacyMetrics(process.registry), wake)
    every(process, worker.turn, name="privacy", seconds=_PAUSE_SECONDS, alone=True, wake=wake)
    for name, work, seconds in (
        ("consent", applying.turn, _CONSENT_SECONDS), ("consent of all", applying.settle_all, _DAY_SECONDS),
        ("keys of records", seal_months.turn, _HOUR_SECONDS),
    ):  # fmt: skip
        every(process, partial(work, process), name=name, seconds=seconds, alone=True)
    sweep = Sweep(process, SweepMetrics(process.registry))
    every(process, sweep.turn, name="retention", seconds=_SWEEP_SECONDS, alone=True, needed=False)
    every(process, sweep.measure, name="retention behind", seconds=_MEASURE_SECONDS, needed=False)
    deletions = ChatwootDeletions(process, ChatwootDeletionMetrics(process.registry))
    every(process, deletions.turn, name="deletions in Chatwoot", seconds=_SWEEP_SECONDS, alone=True, needed=False)
