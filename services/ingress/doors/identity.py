"""What a shop's back end asks for its customer's page: GET /api/stores/{store}/identity?customer=…"""

from urllib.parse import parse_qs

from starlette.types import Receive, Scope

from schemas.identity import identity
from services.ingress.doors.answer import DoorAnswer, json_answer
from services.ingress.doors.door import DoorContext
from services.ingress.doors.refusals import Reason, Refused, wrong_method
from services.ingress.doors.request import DEADLINE, headers
from services.ingress.doors.shop_signature import verify_standard
from services.ingress.stores.store import Store
from services.ingress.tokens import LONGEST_CUSTOMER

PATH = "/api/stores/{store}/identity"
_JSON = ((b"content-type", b"application/json"),)
_NO_KEY = json_answer(
    404, {"error": "this store has no identity key: the operator says it with `wootstream stores add`"}
)
_NO_CUSTOMER = json_answer(400, {"error": "name one customer: ?customer=…"})


class Identities:
    """Verify that the shop asks, and answer from memory."""

    name = "identity"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._clock = doors.process.clock
        self._skew_seconds = doors.process.settings.webhook_skew_seconds

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names, proved or not."""
        return self._doors.stores.known.by_slug.get(scope["path_params"]["store"])

    async def take(self, scope: Scope, _receive: Receive) -> DoorAnswer:
        """200. Raises Refused."""
        if scope["method"] != "GET":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"GET"))
        store = await self._doors.stores.named(scope["path_params"]["store"], scope[DEADLINE])
        verify_standard(store, headers(scope), scope["query_string"], self._clock.now(), self._skew_seconds)
        if store.identity_key is None:
            raise Refused(Reason.NO_SUCH_PATH, store=store.id, answer=_NO_KEY)
        customer = _customer(scope["query_string"])
        if customer is None:
            raise Refused(Reason.NO_EVENT, store=store.id, answer=_NO_CUSTOMER)
        return DoorAnswer(200, identity(store.identity_key, customer).model_dump_json().encode(), _JSON)


def _customer(query: bytes) -> str | None:
    try:
        named = parse_qs(query.decode("ascii"), errors="strict", max_num_fields=2).get("customer", [])
    except ValueError:
        return None
    return named[0] if len(named) == 1 and len(named[0]) <= LONGEST_CUSTOMER else None
