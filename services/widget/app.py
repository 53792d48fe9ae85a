"""widget.events → event rows."""

from functools import partial

from schemas import topics
from services.kernel import Process, consume
from services.kernel.every import every
from services.widget import api, events, months, retention
from services.widget.keeping import Keeping
from services.widget.metrics import WidgetMetrics

_DAY_SECONDS = 86_400.0
_HOUR_SECONDS = 3_600.0
_KEEPING_SECONDS = 60.0


def add_to(process: Process) -> None:
    """Partitions are ensured at start and daily; what nobody keeps any more goes hourly, and is counted before."""
    api.add_to(process)
    metrics = WidgetMetrics(process.registry)
    keeping = Keeping(process, metrics)
    every(process, partial(months.ensure_daily, process), name="widget partitions", seconds=_DAY_SECONDS)
    every(process, keeping.refresh, name="widget events kept", seconds=_KEEPING_SECONDS)
    for name, work in (("widget retention", retention.tidy), ("widget orders", retention.count_orders)):
        every(process, partial(work, process), name=name, seconds=_HOUR_SECONDS, alone=True, needed=False)
    consume(
        process, topics.WIDGET_EVENTS, group="widget", read=keeping.read, apply=keeping.keep, subjects=events.subjects
    )
