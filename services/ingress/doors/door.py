"""What the doors share, and the step around each of them: every request ends in one answer and one count."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from starlette.types import Receive, Scope, Send

from services.ingress.acceptance import Acceptance, NoRoom, TooLarge
from services.ingress.doors.answer import TAKEN, DoorAnswer, cors, json_answer
from services.ingress.doors.quotas import Quotas
from services.ingress.doors.refusals import EventRefusal, Reason, Refused
from services.ingress.doors.request import DEADLINE, Bodies, headers
from services.ingress.first_deliveries import FirstDeliveries
from services.ingress.metrics import IngressMetrics, StoreNames
from services.ingress.refusal_counts import RefusalCounts
from services.ingress.stores.store import Store
from services.ingress.stores.store_cache import StoreCache
from services.ingress.tokens import Tokens
from services.kernel import Process, Record
from services.kernel.publishing.lanes import Position
from services.kernel.publishing.verdicts import NeverTaken
from services.kernel.web.exchange import BESIDE, HEAD_AT, Exchange

# These a store's row decides, which may have been changed a moment ago.
_DOUBTFUL = frozenset({Reason.BAD_SIGNATURE, Reason.UNSIGNED, Reason.FOREIGN_ORIGIN})


# What acceptance raises → what the sender hears.
_MEANT: dict[type[Exception], Reason] = {
    TooLarge: Reason.TOO_LARGE,
    NoRoom: Reason.NO_ROOM,
    NeverTaken: Reason.NEVER_TAKEN,
}
_REFUSALS: tuple[type[Exception], ...] = (Refused, *_MEANT)


class DoorContext:
    """The stores, the limits, and where accepted records go."""

    def __init__(self, process: Process, acceptance: Acceptance) -> None:
        self.process = process
        self.metrics = IngressMetrics(process.registry)
        self.stores = StoreCache(process, self.metrics)
        process.registry.register(StoreNames(lambda: self.stores.known.by_slug))
        self.bodies = Bodies(process.clock, process.settings.proxy_hops)
        self.refusal_counts = RefusalCounts(process)
        self.first_deliveries = FirstDeliveries(process)
        self.quotas = Quotas(process.clock, process.settings)
        self.tokens = Tokens(process.secrets.derive("beacon token"))
        self._keeper = process.following.keeper(acceptance)

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

    def preflight(self, scope: Scope, answer: DoorAnswer) -> DoorAnswer:
        """A browser asks without the page's token: any store's domain may go on. Raises Refused."""
        if origin := self.page_of(scope):
            return answer.allowing(origin)
        raise Refused(Reason.FOREIGN_ORIGIN)

    def page_of(self, scope: Scope) -> bytes:
        """The origin of the page that asks, if it is one of a store's; it may read whatever is answered."""
        origin = headers(scope).get(b"origin", b"")
        return origin if origin.decode("latin-1") in self.stores.known.origins else b""


class RequestKind(Protocol):
    """One kind of request."""

    name: str

    def store_of(self, scope: Scope) -> Store | None: ...
    async def take(self, scope: Scope, receive: Receive) -> DoorAnswer: ...


class WholeRequest(NamedTuple):
    """One that was judged without a wait: what is to be kept, and what is answered then."""

    store: Store
    record: Record
    answer: Callable[[], DoorAnswer]


class WholeRequestKind(RequestKind, Protocol):
    """One of which most requests are judged without a wait; None for the others. Raises what `take` raises."""

    def take_whole(self, scope: Scope, body: bytes) -> WholeRequest | None: ...


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
        except _REFUSALS as refusal:
            answer = self._refuse(scope, refusal)
        except Exception:
            if origin := self._doors.page_of(scope):
                scope[BESIDE] = cors(origin)
            raise
        finally:
            self._bodies.end(scope)
        await answer.send(send)

    def _refuse(self, scope: Scope, refusal: Exception) -> DoorAnswer:
        refused = refusal if isinstance(refusal, Refused) else Refused(_MEANT[type(refusal)])
        named = None if refused.store else self._kind.store_of(scope)
        if named and refused.reason in _DOUBTFUL:
            self._doors.stores.doubt(named)
        self._doors.metrics.refused(self._kind.name, refused.reason).inc()
        self._doors.refusal_counts.note(self._kind.name, refused.reason, named.id if named else refused.store)
        origin = self._doors.page_of(scope)
        return refused.answer.allowing(origin) if origin else refused.answer


class WholeDoor(Door):
    """A door that most requests come through as a whole: no coroutine, no message, no task is made for them.

    Whatever has to wait for more than Kafka, or is followed, is the `Door`'s.
    """

    def __init__(self, doors: DoorContext, kind: WholeRequestKind, acceptance: Acceptance) -> None:
        super().__init__(doors, kind)
        self._acceptance = acceptance
        self._take_whole = kind.take_whole

    def whole(self, exchange: Exchange) -> bool:
        """Whether it is taken; then its answer comes once Kafka has its record."""
        scope = exchange.scope
        try:
            whole = self._take_whole(scope, exchange.body)
            deadline = scope[HEAD_AT] + self._answer_seconds
            offered = self._acceptance.offered(whole.record, deadline) if whole else None
        except _REFUSALS as refusal:
            self._refuse(scope, refusal).end(exchange)
            return True
        except Exception:
            return False  # it is raised again where it becomes a 500
        if whole is None or offered is None:
            return False
        offered.add_done_callback(partial(self._answer, exchange, whole))
        return True

    def _answer(self, exchange: Exchange, whole: WholeRequest, offered: "asyncio.Future[Position]") -> None:
        try:
            kept = self._acceptance.kept(offered)
        except NeverTaken as refusal:
            self._refuse(exchange.scope, refusal).end(exchange)
            return
        if kept:
            self._doors.metrics.accepted(self._kind.name, whole.store.key).inc()
            whole.answer().end(exchange)
        else:
            exchange.start_over()
