"""Calls sent and saved, by store."""

from uuid import UUID

from prometheus_client import CollectorRegistry, Counter


class Counts:
    """What became of the marks: each would have been a call of its own.

    sent: calls that changed a contact. saved: marks that needed none, for nothing differed or several went as one.
    shadow: calls that a live store would have made. unknown: customers whom Chatwoot does not know. searched, created:
    further calls. gone, refused, waiting: the contact had vanished, Chatwoot objected, the call is tried again later.
    `refused` growing: see sync_error in chatwoot_contacts. `waiting` growing: Chatwoot is unwell.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "wootstream_contacts_calls",
            "Marks and calls by what became of them",
            ("store", "outcome"),
            registry=registry,
        )

    def sent(self, store: UUID, *, calls: int, marks: int) -> None:
        self.outcome(store, "sent", calls)
        self.outcome(store, "saved", max(0, marks - calls))

    def outcome(self, store: UUID, outcome: str, times: int = 1) -> None:
        self._calls.labels(str(store), outcome).inc(times)
