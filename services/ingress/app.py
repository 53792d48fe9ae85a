"""The three doors: what comes in is verified, keyed and kept; nothing is read further than that takes."""

from services.ingress import refusal_counts
from services.ingress.acceptance import Acceptance
from services.ingress.doors.beacons import PREFIX as BEACONS
from services.ingress.doors.beacons import Beacons
from services.ingress.doors.door import Door, DoorContext
from services.ingress.doors.shop_events import PREFIX as EVENTS
from services.ingress.doors.shop_events import ShopEvents
from services.ingress.doors.webhooks import PREFIX as WEBHOOKS
from services.ingress.doors.webhooks import Webhooks
from services.ingress.doors.widget_config import PREFIX as PAGES
from services.ingress.doors.widget_config import WidgetConfigs
from services.ingress.stores import store_cache
from services.kernel import Process, every


def add_to(process: Process) -> None:
    """Open the doors; they need neither PostgreSQL nor Kafka to answer."""
    doors = DoorContext(process, Acceptance.of(process))
    process.door(WEBHOOKS, Door(doors, Webhooks(doors)))
    process.door(BEACONS, Door(doors, Beacons(doors)))
    process.door(PAGES, Door(doors, WidgetConfigs(doors)))
    process.door(EVENTS, Door(doors, ShopEvents(doors)))
    process.site.ready_unless(doors.stores.fault)
    process.site.remark(doors.stores.remark)
    every(process, doors.stores.refresh, name="stores", seconds=store_cache.POLL_SECONDS, needed=False)
    every(process, doors.refusal_counts.write, name="refusals", seconds=refusal_counts.WRITE_SECONDS, needed=False)
    process.at_close(doors.stores.close)
    process.at_close(doors.refusal_counts.close)
