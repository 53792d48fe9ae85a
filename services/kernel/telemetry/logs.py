"""Logs: one JSON object a line (or colours for people), static event names, and no personal data.

An exception is told by its type and its frames, never by its message or its locals: PostgreSQL and pydantic quote
values.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor

from services.kernel.errors import describe
from services.kernel.printable import printable, printable_json

LogLevel = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_FRAMES = 20


def configure_logs(level: LogLevel, form: Format) -> None:
    """Send structlog's and every library's logs to stderr; stdout belongs to what verbs answer."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_of_a_library, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)


def _renderer(form: Format) -> Processor:
    if form == "console":
        rendered = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        return lambda logger, method, event: rendered(logger, method, _for_people(event))
    return structlog.processors.JSONRenderer(lambda event, **how: printable_json(json.dumps(event, **how)))


def _for_people(event: EventDict) -> EventDict:
    """On one line, and what is told of an exception on lines of its own: of that the renderer takes text alone."""
    shown = {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}
    if causes := event.get("exception"):
        shown["exception"] = "\n".join(printable(line) for cause in causes for line in _lines(cause))
    return shown


def _lines(cause: dict[str, Any]) -> Iterator[str]:
    yield f"{cause['type']}: {cause['told']}"
    for frame in cause["frames"]:
        yield f"  {frame}"


def _of_a_library(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A library's first line becomes a field: event names are ours, and asyncio's further lines quote exceptions."""
    record = event["_record"]
    text = str(event["event"]).partition("\n")[0]
    ours = {"event": "library_says", "library": record.name, "text": text, "exc_info": record.exc_info}
    return {**event, **ours}


def tell_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by what may be told of it."""
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event["exception"] = list(_causes(error))
    return event


def _causes(error: BaseException | None) -> Iterator[dict[str, Any]]:
    """The exception and what caused it, outermost first."""
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        yield {
            "type": type(error).__name__,
            "told": describe(error),
            "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def quiet_client_logs() -> None:
    """aiokafka writes up to 1,900 lines a second while a broker or topic is away; our own loops say it once. httpx
    writes a line for each call to Chatwoot, which a metric counts, and httpcore the answer's headers, which may echo a
    token."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
