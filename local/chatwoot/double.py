"""One Chatwoot installation without its door: what it knows, what it sends, how often it may be and was called."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from local.chatwoot.fault_modes import FaultModes
from local.chatwoot.model.state import DoubleState, machine_time
from local.chatwoot.release import PlayedRelease
from local.chatwoot.throttles import Throttles
from local.chatwoot.webhooks.delivery import Deliveries
from local.chatwoot.webhooks.listener import WebhookListener


class Double:
    """`calls` counts what was asked of each account, by account id, refused calls included."""

    def __init__(self, release: str = "4.13.0", *, now: Callable[[], datetime] = machine_time, seed: int = 1) -> None:
        self.state = DoubleState(release=PlayedRelease(release), now=now, seed=seed)
        self.deliveries = Deliveries(now, seed=seed)
        self.events = WebhookListener(self.state, self.deliveries)
        self.limits = Throttles(now)
        self.faults = FaultModes(seed=seed)
        self.calls: Counter[int] = Counter()
