"""One Chatwoot installation without its door: what it knows, what it sends, how often it may be and was called."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from local.chatwoot.model.state import State, machine_time
from local.chatwoot.release import Release
from local.chatwoot.throttles import Limits
from local.chatwoot.webhooks.delivery import Deliveries
from local.chatwoot.webhooks.listener import Events


class Double:
    """`calls` counts what was asked of each account, by account id, refused calls included."""

    def __init__(self, release: str = "4.13.0", *, now: Callable[[], datetime] = machine_time, seed: int = 1) -> None:
        self.state = State(release=Release(release), now=now, seed=seed)
        self.deliveries = Deliveries(now, seed=seed)
        self.events = Events(self.state, self.deliveries)
        self.limits = Limits(now)
        self.calls: Counter[int] = Counter()
