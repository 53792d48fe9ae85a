"""widget.events → event rows."""

from functools import partial

from schemas import topics
from services.kernel import Process, consume, every
from services.widget import events, months
from services.widget.keeping import Keeping
from services.widget.metrics import WidgetMetrics

_DAY_SECONDS = 86_400.0
_KEEPING_SECONDS = 60.0


def add_to(process: Process) -> None:
    """Partitions are ensured at start and daily."""
    metrics = WidgetMetrics(process.registry)
    keeping = Keeping(process, metrics)
    every(process, partial(months.ensure_daily, process, metrics), name="widget partitions", seconds=_DAY_SECONDS)
    every(process, keeping.refresh, name="widget events kept", seconds=_KEEPING_SECONDS)
    consume(
        process, topics.WIDGET_EVENTS, group="widget", read=keeping.read, apply=keeping.keep, subjects=events.subjects
    )
