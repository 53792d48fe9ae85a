"""Calls sent and saved, by store."""

from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.kernel.errors import describe, kind

_MOST_KINDS = 20
log = structlog.get_logger()


class SenderMetrics:
    """What became of the marks: each would have been a call of its own.

    sent: calls that changed a contact. saved: marks that needed none, for nothing differed or several went as one.
    shadow: calls that a live store would have made. unknown: customers whom Chatwoot does not know. searched, created:
    further calls. gone, refused, waiting: the contact had vanished, Chatwoot objected, the call is tried again later.
    repaired: calls that set back what somebody else had changed in Chatwoot.
    failed: what is known or answered of a person raises in our code; tried again with the next mark, or after a while.
    `refused` or `failed` growing: see sync_error in chatwoot_contacts. `waiting` growing: Chatwoot is unwell.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "wootstream_contacts_calls",
            "Marks and calls by what became of them",
            ("store", "outcome"),
            registry=registry,
        )
        self._known = set[str]()

    def sent(self, store: UUID, *, calls: int, marks: int) -> None:
        self.outcome(store, "sent", calls)
        self.outcome(store, "saved", max(0, marks - calls))

    def failed(self, store: UUID, error: Exception, people: int) -> None:
        """Told with its traceback once for each kind, for a store may have thousands of them."""
        self.outcome(store, "failed", people)
        if (what := f"{kind(error)} {describe(error)}") not in self._known:
            self._known = {*self._known, what} if len(self._known) < _MOST_KINDS else {what}
            log.error("person_is_set_aside", store=str(store), error=describe(error), exc_info=error)

    def outcome(self, store: UUID, outcome: str, times: int = 1) -> None:
        self._calls.labels(str(store), outcome).inc(times)
