"""The Chatwoot servers that the sender calls: a double at each host, behind one handler that remembers the calls."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from local.chatwoot import seed
from local.chatwoot.app import app
from local.chatwoot.double import Double
from local.chatwoot.model.rows import Contact
from tests.services.attached import ACCOUNT_ID, TOKEN


@dataclass
class ContactsDouble:
    """`fault` answers instead of the doubles when it has something to answer."""

    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    fault: httpx.Response | Exception | None = None
    _doubles: dict[str, Double] = field(default_factory=dict)
    _doors: dict[str, httpx.ASGITransport] = field(default_factory=dict)

    def add(self, host: str, contact_id: int, **fields: Any) -> None:
        double = self._double(host)
        seed.add_contact(double, double.state.accounts[ACCOUNT_ID], id=contact_id, **fields)

    def contacts(self, host: str) -> dict[int, Contact]:
        return self._double(host).state.contacts[ACCOUNT_ID]

    def forget(self, host: str) -> None:
        """Nobody is there any more."""
        for contact in [*self.contacts(host).values()]:
            self._double(host).state.remove(contact)

    def attributes(self, host: str, contact_id: int) -> dict[str, Any]:
        return self.contacts(host)[contact_id].custom_attributes

    def made(self, host: str) -> list[tuple[str, Any]]:
        """Path and body of the calls to this server so far."""
        return [(path, body) for at, path, body in self.calls if at == host]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body: Any = orjson.loads(request.content) if request.content else None
        self.calls.append((request.url.host, request.url.path.partition("/contacts")[2], body))
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        host = request.url.host
        if host not in self._doors:
            self._doors[host] = httpx.ASGITransport(app(self._double(host)))
        return await self._doors[host].handle_async_request(request)

    def _double(self, host: str) -> Double:
        if host not in self._doubles:
            self._doubles[host] = Double()
            seed.add_account(self._doubles[host], ACCOUNT_ID, token=TOKEN)
        return self._doubles[host]
