"""Two answers to one call, the recorded one and the double's, laid side by side."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.recordings.recorded import Call

# Texts that Chatwoot makes up and that come back in later requests.
_MADE_UP = set("access_token auth_token website_token hmac_token source_id".split())
_COLLECTIONS = set("accounts users contacts conversations messages inboxes webhooks teams agent_bots".split())


def things(call: Call, ours: Any) -> Iterator[tuple[str, int, int, int]]:
    """Everything in the answers that later calls may name: collection, account (0: the path's), their id, our id."""
    place, theirs = call.path.partition("?")[0], call.response
    collection, widget = place.rpartition("/")[2], "/widget/" in place
    if widget and "contact" in theirs:
        yield "contacts", 0, theirs["contact"]["id"], ours["contact"]["id"]
    if collection == "messages" and call.method == "GET":
        yield from _messages(theirs["payload"], ours["payload"])
    elif widget and "messages" in theirs:
        yield from _messages(theirs["messages"], ours["messages"])
    if call.method == "POST" and collection in _COLLECTIONS:
        made, same = _unwrapped(theirs, collection), _unwrapped(ours, collection)
        yield collection, (made.get("contact") or made).get("account_id") or 0, made["id"], same["id"]


def texts(theirs: Any, ours: Any) -> Iterator[tuple[str, str, str]]:
    """Made-up texts under the same key."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() & ours.keys():
            if key in _MADE_UP and isinstance(theirs[key], str) and isinstance(ours[key], str):
                yield key, theirs[key], ours[key]
            yield from texts(theirs[key], ours[key])
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for one, other in zip(theirs, ours, strict=True):
            yield from texts(one, other)


def _unwrapped(answer: Any, collection: str) -> Any:
    """What was made, without `payload` and its singular around it."""
    inner = answer.get("payload", answer)
    return inner.get(collection.removesuffix("s"), inner)


def _messages(theirs: list[Any], ours: list[Any]) -> Iterator[tuple[str, int, int, int]]:
    """Messages of the same kind, in their order: notes about what happened may be more or fewer."""
    by_kind = defaultdict(list)
    for one in ours:
        by_kind[one["message_type"], one["content_type"]].append(one)
    for one in theirs:
        if found := by_kind[one["message_type"], one["content_type"]]:
            yield "messages", 0, one["id"], found.pop(0)["id"]
