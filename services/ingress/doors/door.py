"""What the doors share, and the step around each of them: every request ends in one answer and one count."""

from collections.abc import Sequence
from typing import Protocol

from starlette.types import Receive, Scope, Send

from services.ingress.acceptance import NoRoom, TooLarge
from services.ingress.doors.answer import TAKEN, DoorAnswer, json_answer
from services.ingress.doors.beacon_events import EventRefusal
from services.ingress.doors.quotas import Quotas
from services.ingress.doors.refusals import Reason, Refused
from services.ingress.doors.request import DEADLINE, Bodies
from services.ingress.first_deliveries import FirstDeliveries
from services.ingress.metrics import IngressMetrics, StoreNames
from services.ingress.refusal_counts import RefusalCounts
from services.ingress.stores.store import Store
from services.ingress.stores.store_cache import StoreCache
from services.ingress.tokens import Tokens
from services.kernel import Process, Record
from services.kernel.publishing.verdicts import NeverTaken
from services.kernel.telemetry.following import Keeper
from services.kernel.web.exchange import HEAD_AT

# These a store's row decides, which may have been changed a moment ago.
_DOUBTFUL = frozenset({Reason.BAD_SIGNATURE, Reason.UNSIGNED, Reason.FOREIGN_ORIGIN})


class DoorContext:
    """The stores, the limits, and where accepted records go."""

    def __init__(self, process: Process, keeper: Keeper) -> None:
        self.process = process
        self.metrics = IngressMetrics(process.registry)
        self.stores = StoreCache(process, self.metrics)
        process.registry.register(StoreNames(lambda: self.stores.known.by_slug))
        self.bodies = Bodies(process.clock)
        self.refusal_counts = RefusalCounts(process)
        self.first_deliveries = FirstDeliveries(process)
        self.quotas = Quotas(process.clock, process.settings)
        self.tokens = Tokens(process.secrets.derive("beacon token"))
        self._keeper = keeper

    async def keep(self, door: str, store: Store, record: Record, deadline: float) -> None:
        """Return once the record is durable; then it counts as accepted. Raises TooLarge, NeverTaken, NoRoom."""
        await self._keeper.keep(record, deadline)
        self.metrics.accepted(door, store.key).inc()

    def answer_to_several(self, door: str, store: Store, kept: int, refusals: Sequence[EventRefusal]) -> DoorAnswer:
        """What the sender of several events hears. Raises Refused where none was taken."""
        if not refusals:
            return TAKEN
        for refusal in refusals:
            self.metrics.dropped(door, refusal.fault)
        refused = [{"index": one.number, "reason": one.reason} for one in refusals]
        if kept:
            return json_answer(200, {"taken": kept, "refused": refused})
        answer = json_answer(400, {"error": "none of the events was taken", "taken": 0, "refused": refused})
        raise Refused(Reason.NONE_TAKEN, store=store.id, answer=answer)


class RequestKind(Protocol):
    """One kind of request."""

    name: str

    def store_of(self, scope: Scope) -> Store | None: ...
    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer: ...


class Door:
    """The ASGI application around one kind of request."""

    def __init__(self, doors: DoorContext, kind: RequestKind) -> None:
        self._doors = doors
        self._kind = kind
        self._take = kind.take
        self._bodies = doors.bodies
        self._answer_seconds = doors.process.settings.answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[DEADLINE] = scope[HEAD_AT] + self._answer_seconds
        try:
            answer = await self._take(scope, receive)
        except Refused as refused:
            answer = self._refuse(scope, refused)
        except TooLarge:
            answer = self._refuse(scope, Refused(Reason.TOO_LARGE))
        except NoRoom:
            answer = self._refuse(scope, Refused(Reason.NO_ROOM))
        except NeverTaken:
            answer = self._refuse(scope, Refused(Reason.NEVER_TAKEN))
        finally:
            self._bodies.end(scope)
        await answer.send(send)

    def _refuse(self, scope: Scope, refused: Refused) -> DoorAnswer:
        named = None if refused.store else self._kind.store_of(scope)
        if named and refused.reason in _DOUBTFUL:
            self._doors.stores.doubt(named)
        self._doors.metrics.refused(self._kind.name, refused.reason).inc()
        self._doors.refusal_counts.note(self._kind.name, refused.reason, named.id if named else refused.store)
        return refused.answer
