"""What a storefront's page asks for: GET /widget/{website_token}/config."""

import re
import secrets
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.types import Receive, Scope

from schemas.widget import PageConfig, WidgetConfig
from services.ingress.doors.answer import MAY_GET, DoorAnswer
from services.ingress.doors.door import DoorContext
from services.ingress.doors.refusals import Reason, Refused, wrong_method
from services.ingress.doors.request import DEADLINE, headers
from services.ingress.stores.store import NOBODY, Store
from services.ingress.tokens import SESSION, TOKEN_SECONDS, Claims, vouched
from services.kernel.web.addresses import client_of

PREFIX = "/widget/"
_CONFIG = "config"
_MOST_FIELDS = 64
_NO_SESSION = "session is 16 to 64 letters, digits, - and _: leave it out, and one is made"
_NO_QUERY = f"the query is UTF-8 in percent codes, of {_MOST_FIELDS} fields at most"
_BETWEEN, _REGION = re.compile("[-_]"), 2
_LAUNCHER = {"nl": "Chat met {}", "de": "Chat mit {}"}
_LAUNCHER_ELSEWHERE = "Chat with {}"


class WidgetConfigs:
    """Look whose page asks, and give it its widget's settings and a token for its beacons."""

    name = "config"

    def __init__(self, doors: DoorContext) -> None:
        self._doors = doors
        self._clock = doors.process.clock
        self._hops = doors.process.settings.proxy_hops

    def store_of(self, scope: Scope) -> Store | None:
        """Whom the URL names."""
        return self._doors.stores.known.by_website.get(_parts(scope)[0])

    async def take(self, scope: Scope, _receive: Receive) -> DoorAnswer:
        """200 for a page of the store's domains. Raises Refused."""
        website, what = _parts(scope)
        if what != _CONFIG:
            raise Refused(Reason.NO_SUCH_PATH)
        if scope["method"] == "OPTIONS":
            return self._doors.preflight(scope, MAY_GET)
        if scope["method"] != "GET":
            raise Refused(Reason.WRONG_METHOD, answer=wrong_method(b"GET, OPTIONS"))
        store = await self._doors.stores.of_website(website, scope[DEADLINE])
        if store is NOBODY:
            raise Refused(Reason.NO_SUCH_PATH)
        origin = headers(scope).get(b"origin", b"").decode("latin-1")
        if origin not in store.origins:
            raise Refused(Reason.FOREIGN_ORIGIN)
        if not self._doors.quotas.take_page(store.id, client_of(scope, self._hops).network):
            raise Refused(Reason.OVER_QUOTA)
        config = self._config(store, origin, _query(scope))
        body = config.model_dump_json(by_alias=True).encode()
        return DoorAnswer(200, body, _JSON).allowing(origin.encode("latin-1"))

    def _config(self, store: Store, origin: str, query: dict[str, str]) -> PageConfig:
        now = self._clock.now()
        session = query.get("session") or secrets.token_urlsafe(16)  # 128 bits: nobody guesses another's
        if not SESSION.fullmatch(session):
            raise Refused(Reason.NO_EVENT, _NO_SESSION)
        expires = int(now.timestamp()) + TOKEN_SECONDS
        customer = _customer(store, query, now)
        return PageConfig(
            widget=_widget(store),
            server_time=now,
            session=session,
            customer=customer,
            token=self._doors.tokens.make(Claims(store.id, origin, session, customer, expires)),
            token_expires=datetime.fromtimestamp(expires, UTC),
        )


_JSON = ((b"content-type", b"application/json"),)


def _widget(store: Store) -> WidgetConfig:
    locale = _as_the_widget_knows(store.locale)
    launcher = _LAUNCHER.get(locale.partition("_")[0], _LAUNCHER_ELSEWHERE).format(store.name)
    return WidgetConfig(
        website_token=store.website_token,
        base_url=store.chatwoot_base_url,
        locale=locale,
        launcher_title=launcher,
    )


def _as_the_widget_knows(locale: str) -> str:
    """pt_BR for pt-BR and pt_br, too: of any other form Chatwoot makes its account's language."""
    language, *rest = _BETWEEN.split(locale)
    return "_".join((language, *(one.upper() if len(one) == _REGION else one for one in rest)))


def _customer(store: Store, query: dict[str, str], now: datetime) -> str | None:
    """Whom the shop vouches for, if the page names somebody. Raises Refused."""
    customer = query.get("customer")
    if customer is None:
        return None
    if not vouched(store.vouching_secrets, customer, query.get("expires", ""), query.get("proof", ""), now):
        raise Refused(Reason.NOT_VOUCHED)
    return customer


def _parts(scope: Scope) -> tuple[str, str]:
    website, _, what = scope["path"][len(PREFIX) :].partition("/")
    return website, what


def _query(scope: Scope) -> dict[str, str]:
    try:
        fields = parse_qs(scope["query_string"].decode("ascii"), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as cause:
        raise Refused(Reason.NO_EVENT, _NO_QUERY) from cause
    return {name: values[0] for name, values in fields.items()}
