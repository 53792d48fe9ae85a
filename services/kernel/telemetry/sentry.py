"""Errors to Sentry, where SENTRY_DSN says so: what the logs tell, under their static names, and nothing else.

None of the SDK's integrations is switched on: they send messages and local variables, which quote people. What is sent
leaves by a thread of the SDK's, from a queue of a hundred that drops what it cannot hold: a Sentry that is broken, full
or silent slows nobody.
"""

import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

from services.kernel.errors import Stop
from services.kernel.settings import Settings
from services.kernel.telemetry.own_release import release

_LAST_SECONDS = 2.0
# The logs hold none of this by rule. Whose rule was broken once must not read it at a third party's.
_PERSONAL = (
    (re.compile(r"[^\s@<>\"'(),;:=]+@[^\s@<>\"'(),;:=]+\.[^\s@<>\"'(),;:=]+"), "(e-mail)"),
    (re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"), "(address)"),
    (
        re.compile(r"(?<![\w:])(?=[0-9a-f:]*[0-9a-f]:)(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE),
        "(address)",
    ),
    (re.compile(r"\+\d[\d ()/-]{6,18}\d"), "(phone)"),
)


def report_errors(settings: Settings, **options: Any) -> None:
    """From now on every error that is logged goes to Sentry too. Raises Stop when the SDK is not installed."""
    if settings.sentry_dsn is None:
        return
    try:
        import sentry_sdk
    except ImportError as absent:
        raise Stop("SENTRY_DSN is set but its SDK is absent: pip install 'wootstream[sentry]', or unset it") from absent
    sentry_sdk.init(
        settings.sentry_dsn.get_secret_value(),
        default_integrations=False,
        release=release(),
        environment=settings.environment,
        include_local_variables=False,
        max_breadcrumbs=0,
        **options,
    )

    def report(_logger: Any, method: str, event: EventDict) -> EventDict:
        if method in ("error", "critical"):
            fields = {key: scrubbed(value) for key, value in event.items() if key not in ("event", "exc_info")}
            sentry_sdk.capture_event({"level": "error", "message": event["event"], "extra": fields})
        return event

    *before, last = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, report, last])


def scrubbed(value: Any) -> Any:
    """The same without e-mail addresses, network addresses and telephone numbers."""
    if isinstance(value, str):
        for pattern, instead in _PERSONAL:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, dict):
        return {key: scrubbed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(one) for one in value]
    return value


def send_last_errors() -> None:
    """At the end of a process: wait a moment for what was not sent yet, as for the error that ends it."""
    if (sdk := sys.modules.get("sentry_sdk")) is not None:
        sdk.flush(timeout=_LAST_SECONDS)
