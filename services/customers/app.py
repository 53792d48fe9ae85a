"""shop.events → orders and customers, widget.events → where they are; contacts hears who is due."""

from functools import partial

from schemas import topics
from services.customers import events, handlers, regrading
from services.customers.visits import events as visit_events
from services.customers.visits import handlers as visit_handlers
from services.kernel import Process, consume
from services.kernel.consent.analytics import AnalyticsConsent
from services.kernel.consent.words import ConsentWords
from services.kernel.every import every
from services.kernel.forgetting.retained import Retained
from services.kernel.forgetting.subjects import Pseudonyms

_LOOK_SECONDS = 600.0  # an order is a year old to the day, not to the minute


def add_to(process: Process) -> None:
    """Two groups: members of one group would have to bear one static name, and each would throw the other out."""
    keep = partial(handlers.keep, ConsentWords(process.secrets))
    shop = Retained(process, "shop", events.newest, read=events.read, keep=keep)
    consume(process, topics.SHOP_EVENTS, group="customers", read=shop.read, apply=shop.keep, subjects=events.subjects)
    every(process, partial(regrading.turn, process), name="tiers", seconds=_LOOK_SECONDS, alone=True, needed=False)
    keep_visits = partial(visit_handlers.keep, withdrawn=AnalyticsConsent(Pseudonyms(process.secrets)).withdrawn)
    visits = Retained(process, "visits", visit_events.newest, read=visit_events.read, keep=keep_visits)
    consume(
        process, topics.WIDGET_EVENTS, group="visits", read=visits.read, apply=visits.keep,
        subjects=visit_events.subjects,
    )  # fmt: skip
