"""chatwoot.webhooks → facts → figures; contacts hears whose attributes may have moved; the API tells names and bots."""

from schemas import topics
from services.conversations import events, handlers
from services.conversations.chatwoot.account_details import AccountDetails
from services.conversations.reports import api
from services.conversations.reports.daily_comparison import DailyComparison
from services.kernel import Process, consume, every

_LOOK_SECONDS = 10.0
_COMPARE_SECONDS = 600.0


def add_to(process: Process) -> None:
    """Consume the stores' webhooks about conversations and messages; answer reports."""
    consume(
        process, topics.WEBHOOKS, group="conversations", read=events.read, apply=handlers.keep, subjects=events.subjects
    )
    every(process, AccountDetails(process).turn, name="directory", seconds=_LOOK_SECONDS, alone=True)
    every(process, DailyComparison(process).turn, name="comparison", seconds=_COMPARE_SECONDS, alone=True, needed=False)
    api.add_to(process)
