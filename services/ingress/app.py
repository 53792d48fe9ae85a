"""The doors: what comes in is verified, keyed and kept; nothing is read further than that takes."""

from pathlib import Path

from services.ingress import acknowledged, first_deliveries, refusal_counts
from services.ingress.acceptance import Acceptance
from services.ingress.acknowledged import AcknowledgedWriter
from services.ingress.doors.beacons import PREFIX as BEACONS
from services.ingress.doors.beacons import Beacons
from services.ingress.doors.door import Door, DoorContext, WholeDoor
from services.ingress.doors.identity import PATH as IDENTITY
from services.ingress.doors.identity import Identities
from services.ingress.doors.presets.shopify import PREFIX as SHOPIFY
from services.ingress.doors.presets.shopify import Shopify
from services.ingress.doors.shop_events import PREFIX as EVENTS
from services.ingress.doors.shop_events import ShopEvents
from services.ingress.doors.webhooks import PREFIX as WEBHOOKS
from services.ingress.doors.webhooks import Webhooks
from services.ingress.doors.widget_config import PREFIX as PAGES
from services.ingress.doors.widget_config import WidgetConfigs
from services.ingress.spool.drain import Drainer
from services.ingress.spool.file import Unreadable
from services.ingress.spool.level import FillLevel
from services.ingress.spool.metrics import SpoolMetrics
from services.ingress.spool.shelf import Shelf
from services.ingress.spool.spool import Spool
from services.ingress.spool.switch import Switch
from services.ingress.spool.undelivered import UndeliveredWriter
from services.ingress.stores import store_cache
from services.ingress.stores.change_notices import ChangeNotices
from services.kernel import Process, Stop
from services.kernel.every import every

_LOOK_SECONDS = 10.0  # at the spool's disk


def add_to(process: Process) -> None:
    """Open the doors; they need neither PostgreSQL nor Kafka to answer."""
    acceptance = acceptance_of(process)
    doors = DoorContext(process, acceptance)
    acceptance.spool.share_between(lambda: len(doors.stores.known.by_id))
    process.site.door(WEBHOOKS, WholeDoor(doors, Webhooks(doors), acceptance))
    process.site.door(BEACONS, WholeDoor(doors, Beacons(doors), acceptance))
    process.site.door(PAGES, Door(doors, WidgetConfigs(doors)))
    process.site.door(EVENTS, Door(doors, ShopEvents(doors)))
    process.site.door(SHOPIFY, Door(doors, Shopify(doors)))
    process.route(IDENTITY, Door(doors, Identities(doors)))
    process.site.ready_unless(doors.stores.fault)
    process.site.remark(doors.stores.remark)
    every(
        process, doors.stores.refresh, name="stores", seconds=store_cache.POLL_SECONDS, wake=doors.stores.changed,
        needed=False,
    )  # fmt: skip
    process.background("listener to stores", ChangeNotices(process, doors.stores.changed).listen)
    every(process, doors.refusal_counts.write, name="refusals", seconds=refusal_counts.WRITE_SECONDS, needed=False)
    note = first_deliveries.WRITE_SECONDS
    every(process, doors.first_deliveries.write, name="first deliveries", seconds=note, needed=False)
    process.at_close(doors.stores.close)
    process.at_close(doors.refusal_counts.close)


def acceptance_of(process: Process) -> Acceptance:
    """Where accepted records go: Kafka, the spool, and what moves them from here to there. Raises Stop."""
    metrics = SpoolMetrics(process.registry)
    directory = process.settings.data_directory / "spool"
    spool = _open_spool(process, directory, metrics)
    switch = Switch(process.publisher, process.clock, metrics.spooling)
    drainer = Drainer(spool, process.publisher, switch, metrics, process.clock)
    if spool.records:
        switch.spool_first("records wait that an earlier process accepted")
    # No `every`, which ends with `stopping`: the last requests are answered after that, and these two help them.
    process.background("drain", drainer.run)
    process.background("kafka watch", switch.watch)
    process.site.ready_unless(spool.fault)
    every(process, spool.look, name="spool's disk", seconds=_LOOK_SECONDS, needed=False)
    _write_rows(process, spool, directory, metrics)
    # Closed in reverse: what holds the records comes before the rows that tell of them.
    process.at_close(spool.close)
    seconds = process.settings.answer_seconds
    return Acceptance(process.publisher, spool, switch, drainer, metrics, clock=process.clock, answer_seconds=seconds)


def _open_spool(process: Process, directory: Path, metrics: SpoolMetrics) -> Spool:
    """Without one nothing is accepted: better no start than a promise that only Kafka keeps."""
    try:
        shelf = Shelf(directory, process.secrets, cap_bytes=process.settings.spool_bytes)
    except (OSError, Unreadable) as error:
        raise Stop(f"the spool cannot be written ({error}): free or mount {directory}") from error
    return Spool(shelf, FillLevel(shelf, metrics), process.clock)


def _write_rows(process: Process, spool: Spool, directory: Path, metrics: SpoolMetrics) -> None:
    """What the audit must know of this ingress: what Kafka acknowledged to it, and what it will never take."""
    offsets, undelivered = AcknowledgedWriter(process, metrics), UndeliveredWriter(process, spool.level, directory)
    process.publisher.on_acknowledged(offsets.note)
    for name, writer in (("acknowledged", offsets), ("undelivered", undelivered)):
        every(process, writer.write, name=name, seconds=acknowledged.WRITE_SECONDS, needed=False)
        process.at_close(writer.close)
