"""The three doors: what comes in is verified, keyed and kept; nothing is read further than that takes."""

from services.ingress import directory, tally
from services.ingress.acceptance import Acceptance
from services.ingress.beacons import PREFIX as BEACONS
from services.ingress.beacons import Beacons
from services.ingress.doors import Door, Doors
from services.ingress.events import PREFIX as EVENTS
from services.ingress.events import Events
from services.ingress.pages import PREFIX as PAGES
from services.ingress.pages import Pages
from services.ingress.webhooks import PREFIX as WEBHOOKS
from services.ingress.webhooks import Webhooks
from services.kernel import Process, every


def add_to(process: Process) -> None:
    """Open the doors; they need neither PostgreSQL nor Kafka to answer."""
    doors = Doors(process, Acceptance.of(process))
    process.door(WEBHOOKS, Door(doors, Webhooks(doors)))
    process.door(BEACONS, Door(doors, Beacons(doors)))
    process.door(PAGES, Door(doors, Pages(doors)))
    process.door(EVENTS, Door(doors, Events(doors)))
    process.site.unready.append(doors.directory.fault)
    process.site.remarks.append(doors.directory.remark)
    every(process, doors.directory.refresh, name="stores", seconds=directory.POLL_SECONDS, needed=False)
    every(process, doors.tally.write, name="refusals", seconds=tally.WRITE_SECONDS, needed=False)
    process.at_close(doors.directory.close)
    process.at_close(doors.tally.close)
