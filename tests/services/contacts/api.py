"""The calls of Chatwoot's contacts API that the sender makes, as an httpx transport."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

_PATH = re.compile(r"/api/v1/accounts/(\d+)/contacts(?:/(\d+|filter)(/destroy_custom_attributes)?)?$")


@dataclass
class ContactsApi:
    """Contacts of one account at each server; `fault` answers instead when it has something to answer."""

    contacts: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    fault: httpx.Response | Exception | None = None

    def add(self, host: str, contact_id: int, **fields: Any) -> None:
        blank: dict[str, Any] = {
            "id": contact_id,
            "email": None,
            "phone_number": None,
            "identifier": None,
            "custom_attributes": {},
        }
        self.contacts[host, contact_id] = blank | fields

    def attributes(self, host: str, contact_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.contacts[host, contact_id]["custom_attributes"]
        return found

    def made(self, host: str) -> list[tuple[str, Any]]:
        """Path and body of the calls to this server so far."""
        return [(path, body) for at, path, body in self.calls if at == host]

    def answer(self, request: httpx.Request) -> httpx.Response:
        body: Any = orjson.loads(request.content) if request.content else None
        matched = _PATH.match(request.url.path)
        assert matched, request.url.path
        self.calls.append((request.url.host, request.url.path.partition("/contacts")[2], body))
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        _, which, destroy = matched.groups()
        if which is None:
            return self._create(request.url.host, body)
        if which == "filter":
            return self._filter(request.url.host, body["payload"])
        return self._change(self.contacts.get((request.url.host, int(which))), body, destroy=bool(destroy))

    def _change(self, contact: dict[str, Any] | None, body: Any, *, destroy: bool) -> httpx.Response:
        if contact is None:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        held = contact["custom_attributes"]
        if destroy:
            contact["custom_attributes"] = {key: held[key] for key in held.keys() - set(body["custom_attributes"])}
        else:
            contact["custom_attributes"] = held | body["custom_attributes"]
        return httpx.Response(200, json={"payload": contact})

    def _filter(self, host: str, wanted: list[dict[str, Any]]) -> httpx.Response:
        found = [
            contact
            for (at, _), contact in self.contacts.items()
            if at == host and any(contact[one["attribute_key"]] == one["values"][0] for one in wanted)
        ]
        return httpx.Response(200, json={"meta": {"count": len(found)}, "payload": found})

    def _create(self, host: str, body: dict[str, Any]) -> httpx.Response:
        taken = [key for key in ("email", "identifier") if key in body and self._bears(host, key, body[key])]
        if taken:
            return httpx.Response(422, json={"message": "has already been taken", "attributes": taken})
        contact_id = 1 + max((one for _, one in self.contacts), default=0)
        self.add(host, contact_id, **body)
        return httpx.Response(200, json={"payload": {"contact": self.contacts[host, contact_id]}})

    def _bears(self, host: str, key: str, value: str) -> bool:
        return any(at == host and one[key] == value for (at, _), one in self.contacts.items())
