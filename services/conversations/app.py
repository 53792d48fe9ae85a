"""chatwoot.webhooks → facts → figures; contacts hears whose attributes may have moved; the API tells names and bots."""

from functools import partial

from schemas import topics
from services.conversations import events, handlers
from services.conversations.chatwoot.account_details import AccountDetails
from services.conversations.reports import api
from services.conversations.reports.daily_comparison import DailyComparison
from services.kernel import Process, consume
from services.kernel.consent.chats import ChatConsent
from services.kernel.every import every
from services.kernel.forgetting.retained import Retained
from services.kernel.forgetting.subjects import Pseudonyms

_LOOK_SECONDS = 10.0
_COMPARE_SECONDS = 600.0


def add_to(process: Process) -> None:
    """Consume the stores' webhooks about conversations and messages; answer reports."""
    keep = partial(handlers.keep, withheld=ChatConsent(Pseudonyms(process.secrets)).withheld)
    retained = Retained(process, "chat", events.newest, read=events.read, keep=keep)
    consume(
        process,
        topics.WEBHOOKS,
        group="conversations",
        read=retained.read,
        apply=retained.keep,
        subjects=events.subjects,
    )
    every(process, AccountDetails(process).turn, name="directory", seconds=_LOOK_SECONDS, alone=True)
    every(process, DailyComparison(process).turn, name="comparison", seconds=_COMPARE_SECONDS, alone=True, needed=False)
    api.add_to(process)
