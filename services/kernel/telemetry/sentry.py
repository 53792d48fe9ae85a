"""Errors to Sentry, where SENTRY_DSN says so: what the logs tell, under their static names, and nothing else.

None of the SDK's integrations is switched on: they send messages and local variables, which quote people.
"""

from typing import Any

import structlog
from structlog.typing import EventDict

from services.kernel.errors import Stop
from services.kernel.settings import Settings


def report_errors(settings: Settings, **options: Any) -> None:
    """From now on every error that is logged goes to Sentry too. Raises Stop when the SDK is not installed."""
    if settings.sentry_dsn is None:
        return
    try:
        import sentry_sdk
    except ImportError as absent:
        raise Stop("SENTRY_DSN is set but its SDK is absent: pip install 'wootstream[sentry]', or unset it") from absent
    sentry_sdk.init(settings.sentry_dsn.get_secret_value(), default_integrations=False, **options)

    def report(_logger: Any, method: str, event: EventDict) -> EventDict:
        if method in ("error", "critical"):
            fields = {key: value for key, value in event.items() if key not in ("event", "exc_info")}
            sentry_sdk.capture_event({"level": "error", "message": event["event"], "extra": fields})
        return event

    *before, last = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, report, last])
