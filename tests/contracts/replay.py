"""Recorded API calls sent to the double again, in its own ids and tokens, at the moments they were recorded."""

import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from tests.double.app import app
from tests.double.installation import Double
from tests.recordings.recorded import Call

_SEGMENT = re.compile(r"/(accounts|users|contacts|conversations|messages|inboxes|webhooks)/(\d+)")
_RECORDED_RECEIVER = "http://127.0.0.1:9100"
# Where a number in a request is the id of something.
_ID_OF = {
    "inbox_id": "inboxes",
    "contact_id": "contacts",
    "base_contact_id": "contacts",
    "mergee_contact_id": "contacts",
    "user_id": "users",
    "user_ids": "users",
    "assignee_id": "users",
    "team_id": "teams",
    "agent_bot": "agent_bots",
    "before": "messages",
}
# Texts that Chatwoot makes up: ours differ, and come back in later requests.
_MADE_UP = {"access_token", "auth_token", "website_token", "hmac_token", "source_id"}


class Replay:
    """One double, and what its names are for the recorded ones."""

    def __init__(self, release: str, receiver: str) -> None:
        self.moment = 0.0
        self.double = Double(release, now=lambda: datetime.fromtimestamp(self.moment, UTC))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app(self.double)), base_url="http://double")
        self._ids: dict[tuple[Any, ...], int] = {}
        self._texts: dict[str, str] = {_RECORDED_RECEIVER: receiver}
        self._hmac_tokens: dict[str, str] = {}

    async def send(self, call: Call) -> httpx.Response:
        """The call as the double understands it; what it names anew is remembered."""
        self.moment = max(self.moment, call.sent_at)
        if call.step.startswith("platform.") and "dummy" not in self._texts:
            self._texts[call.request_headers["api_access_token"]] = self.double.state.platform_token
        if call.status == httpx.codes.TOO_MANY_REQUESTS:  # the calls before it were not recorded
            self.double.limits.spend(call.request_headers["X-Forwarded-For"], self.double.limits.per_address)
        body = None if call.request is None else orjson.dumps(self._translated(call.request, account_of(call.path)))
        headers = {name: self._texts.get(value, value) for name, value in call.request_headers.items()}
        answer = await self._client.request(call.method, self._path(call.path), content=body, headers=headers)
        if call.status == answer.status_code == httpx.codes.OK and answer.content:
            self._learn(call, call.response, answer.json())
        return answer

    def _path(self, path: str) -> str:
        account = account_of(path)
        place, _, query = path.partition("?")
        place = _SEGMENT.sub(lambda found: f"/{found[1]}/{self._id(found[1], int(found[2]), account)}", place)
        pairs = (pair.split("=", 1) for pair in query.split("&") if pair)
        told = (f"{name}={self._translated({name: _number(value)}, account)[name]}" for name, value in pairs)
        return f"{place}?{'&'.join(told)}"

    def _id(self, kind: str, number: int, account: int) -> int:
        return self._ids.get((kind, account, number), self._ids.get((kind, number), number))

    def _translated(self, value: Any, account: int, kind: str = "") -> Any:
        if isinstance(value, dict):
            told = {key: self._translated(one, account, _ID_OF.get(key, "")) for key, one in value.items()}
            return self._vouched(told)
        if isinstance(value, list):
            return [self._translated(one, account, kind) for one in value]
        if isinstance(value, int) and kind:
            return self._id(kind, value, account)
        if isinstance(value, str):
            return self._texts.get(value, value.replace(_RECORDED_RECEIVER, self._texts[_RECORDED_RECEIVER]))
        return value

    def _vouched(self, body: Any) -> Any:
        """A hash that was right when recorded is right again, with the double's own secret."""
        for theirs, ours in self._hmac_tokens.items():
            if body.get("identifier_hash") == _hash(theirs, body.get("identifier", "")):
                return body | {"identifier_hash": _hash(ours, body["identifier"])}
        return body

    def _learn(self, call: Call, theirs: Any, ours: Any) -> None:
        for key, their_text, our_text in _texts(theirs, ours):
            self._texts[their_text] = our_text
            if key == "hmac_token":
                self._hmac_tokens[their_text] = our_text
        for kind, their_thing, our_thing in _things(call, theirs, ours):
            account = their_thing.get("account_id") or (their_thing.get("contact") or {}).get("account_id")
            key = (
                (kind, account or account_of(call.path), their_thing["id"])
                if kind == "conversations"
                else (kind, their_thing["id"])
            )
            self._ids[key] = our_thing["id"]


def account_of(path: str) -> int:
    found = re.search(r"/accounts/(\d+)", path)
    return int(found[1]) if found else 0


def _things(call: Call, theirs: Any, ours: Any) -> Iterator[tuple[str, Any, Any]]:
    """What the two answers hold that has an id, in pairs, with the name of its collection."""
    place = call.path.partition("?")[0]
    kind = place.rpartition("/")[2]
    if "/widget/" in place and "contact" in theirs:
        yield "contacts", theirs["contact"], ours["contact"]
    if kind == "messages" and call.method == "GET":
        yield from (("messages", *pair) for pair in _aligned(theirs["payload"], ours["payload"]))
    elif call.method == "POST" and kind in _COLLECTIONS:
        payload = theirs.get("payload")
        wrapped = kind.removesuffix("s") if isinstance(payload, dict) else ""
        yield (kind, payload[wrapped], ours["payload"][wrapped]) if wrapped in (payload or ()) else (kind, theirs, ours)
    if "messages" in theirs and "/widget/" in place:
        yield from (("messages", *pair) for pair in _aligned(theirs["messages"], ours["messages"]))


_COLLECTIONS = {
    "accounts",
    "users",
    "contacts",
    "conversations",
    "messages",
    "inboxes",
    "webhooks",
    "teams",
    "agent_bots",
}


def _aligned(theirs: list[Any], ours: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Messages in pairs of the same kind."""
    by_kind = defaultdict(list)
    for one in ours:
        by_kind[one["message_type"], one["content_type"]].append(one)
    for one in theirs:
        if found := by_kind[one["message_type"], one["content_type"]]:
            yield one, found.pop(0)


def _texts(theirs: Any, ours: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() & ours.keys():
            if key in _MADE_UP and isinstance(theirs[key], str) and isinstance(ours[key], str):
                yield key, theirs[key], ours[key]
            yield from _texts(theirs[key], ours[key])
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for one, other in zip(theirs, ours, strict=True):
            yield from _texts(one, other)


def _number(text: str) -> Any:
    return int(text) if text.isdecimal() else text


def _hash(token: str, identifier: str) -> str:
    return hmac.new(token.encode(), identifier.encode(), hashlib.sha256).hexdigest()
