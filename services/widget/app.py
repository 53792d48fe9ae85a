"""widget.events → event rows."""

from functools import partial

from schemas import topics
from services.kernel import Process, consume, every
from services.widget import events, handlers

_DAY_SECONDS = 86_400.0


def add_to(process: Process) -> None:
    """Partitions are ensured at start and daily."""
    every(process, partial(handlers.ensure_partitions, process), name="widget partitions", seconds=_DAY_SECONDS)
    consume(process, topics.WIDGET_EVENTS, group="widget", read=events.read, apply=handlers.keep)
