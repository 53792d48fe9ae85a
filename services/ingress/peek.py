"""What must be known of a webhook's body before it goes on as it is: its event, its account, and what it is about."""

from typing import Any, NamedTuple

import orjson

from schemas.depth import too_deep
from services.ingress.refusals import Reason, Refused

LONGEST_EVENT = 64
# The rest of an account's events keep their order among themselves.
_OF_ACCOUNT = "account"


class Peek(NamedTuple):
    """`subject` ends the record's key: `conversation:7`, `contact:12` or `account`."""

    event: str
    subject: str


def peek(body: bytes, account_id: int) -> Peek:
    """Raises Refused: NOT_JSON, TOO_DEEP, NO_EVENT; OTHER_ACCOUNT where the body names one that is not the store's."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as cause:
        raise Refused(Reason.TOO_DEEP if too_deep(body) else Reason.NOT_JSON) from cause
    event = said.get("event") if type(said) is dict else None
    if type(event) is not str or not _is_name(event):
        raise Refused(Reason.NO_EVENT)
    talk = _dict(said, "conversation")
    if not (_may_be_of(account_id, said) and _may_be_of(account_id, talk)):
        raise Refused(Reason.OTHER_ACCOUNT)
    return Peek(event, _subject(event, said, talk))


def _is_name(event: str) -> bool:
    """It becomes a header, a label, and a line on a terminal."""
    return event.isascii() and event.isprintable() and 0 < len(event) <= LONGEST_EVENT


def _may_be_of(account_id: int, part: dict[str, Any]) -> bool:
    """Whether neither its account nor its last message's is another."""
    if (account := part.get("account")) is not None:
        named = account.get("id") if type(account) is dict else account
        if named != account_id:
            return False
    messages = part.get("messages")
    if type(messages) is list and messages and type(messages[0]) is dict:
        return bool(messages[0].get("account_id", account_id) == account_id)
    return True


def _subject(event: str, said: dict[str, Any], talk: dict[str, Any]) -> str:
    if event.startswith("message_") or "conversation" in said:
        return _numbered("conversation", talk)
    if event.startswith("conversation_"):
        return _numbered("conversation", said)
    if event.startswith("contact_"):
        return _numbered("contact", said)
    return _numbered("contact", _dict(said, "contact"))


def _numbered(kind: str, thing: dict[str, Any]) -> str:
    number = thing.get("id")
    return f"{kind}:{number}" if type(number) is int else _OF_ACCOUNT


def _dict(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return value if type(value) is dict else {}
