"""What the double calls the things that a recording calls otherwise: ids and tokens."""

import hashlib
import hmac
import re
from typing import Any

from tests.contracts.pairs import texts, things
from tests.recordings.recorded import Call

_IN_PATH = re.compile(r"/(accounts|users|contacts|conversations|messages|inboxes|webhooks)/(\d+)")
# Where a number in a body or a query is the id of something.
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
}
_ID_OF_TYPE = {"agent": "users", "inbox": "inboxes", "team": "teams"}  # of a report


class Names:
    """Recorded names and the double's; whatever has no other name keeps its own."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._ids: dict[tuple[str, int, int], int] = {}
        self._hmac_tokens: dict[str, str] = {}

    def path(self, path: str) -> str:
        account = account_of(path)
        place, _, query = path.partition("?")
        place = _IN_PATH.sub(lambda found: f"/{found[1]}/{self.id(found[1], int(found[2]), account)}", place)
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        kind = _ID_OF_TYPE.get(next((value for name, _, value in pairs if name == "type"), ""), "")
        named = ((name, self.id(kind, int(value)) if name == "id" else value) for name, _, value in pairs)
        return f"{place}?" + "&".join(f"{name}={self.texts.get(str(value), value)}" for name, value in named)

    def value(self, value: Any, account: int, kind: str = "") -> Any:
        """A body, or a part of one; `kind` is what its numbers are ids of."""
        if isinstance(value, dict):
            return self._vouched({key: self.value(one, account, _ID_OF.get(key, "")) for key, one in value.items()})
        if isinstance(value, list):
            return [self.value(one, account, kind) for one in value]
        if isinstance(value, int) and kind:
            return self.id(kind, value, account)
        if isinstance(value, str):
            return self.texts.get(value, value)
        return value

    def learn(self, call: Call, ours: Any) -> None:
        """What both answers to the call name, from now on is known by both names."""
        for key, their_text, our_text in texts(call.response, ours):
            self.texts[their_text] = our_text
            if key == "hmac_token":
                self._hmac_tokens[their_text] = our_text
        for kind, account, their_id, our_id in things(call, ours):
            self._ids[_key(kind, account or account_of(call.path), their_id)] = our_id

    def id(self, kind: str, number: int, account: int = 0) -> int:
        return self._ids.get(_key(kind, account, number), number)

    def _vouched(self, body: dict[str, Any]) -> dict[str, Any]:
        """A hash that was right when recorded is right again, by the double's own secret."""
        identifier = body.get("identifier", "")
        for theirs, ours in self._hmac_tokens.items():
            if body.get("identifier_hash") == _hash(theirs, identifier):
                return body | {"identifier_hash": _hash(ours, identifier)}
        return body


def account_of(path: str) -> int:
    """The recorded account, 0 where the path names none."""
    found = re.search(r"/accounts/(\d+)", path)
    return int(found[1]) if found else 0


def _key(kind: str, account: int, number: int) -> tuple[str, int, int]:
    """Conversations are numbered within their account, all else throughout."""
    return kind, account if kind == "conversations" else 0, number


def _hash(token: str, identifier: str) -> str:
    return hmac.new(token.encode(), identifier.encode(), hashlib.sha256).hexdigest()
