"""Whom a record that nobody could read may be about: by the names of its fields, and whatever looks like an address.

It would be set aside whole, and so bring back who was erased. Too many rather than too few: a record that no service
can read is lost either way.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

import orjson

from services.kernel.forgetting.subjects import Kind, Subject, plain_phone, subjects_named
from services.kernel.record import Record, text_of

_MOST_SUBJECTS = 2_000
_LONGEST = 255
_EMAIL = re.compile(r"[^\s\"'<>(),;:@\\]{1,64}@[^\s\"'<>(),;:@\\]{1,190}")
_PHONE = re.compile(r"\+\d[\d ()/.-]{5,24}\d")
_KINDS: dict[str, Kind] = {
    "customer_id": "customer", "identifier": "customer", "session_id": "session", "user_id": "user",
    "contact_id": "contact", "sender": "contact", "contact": "contact",
    "conversation": "conversation", "conversation_id": "conversation",
}  # fmt: skip
_PHONES = ("phone", "phone_number")


def subjects_of_bytes(record: Record) -> set[Subject]:
    """Of a bounded number of values; the key's end is a customer, a session, a contact or a conversation."""
    return set(islice(_subjects(record), _MOST_SUBJECTS))


def _subjects(record: Record) -> Iterator[Subject]:
    yield from subjects_of_key(record)
    text = record.value.decode("utf-8", "replace")
    yield from (Subject("email", one.lower()) for one in _EMAIL.findall(text))
    yield from (Subject("phone", plain_phone(one)) for one in _PHONE.findall(text))
    try:
        yield from _of_fields(orjson.loads(record.value))
    except ValueError:
        return


def subjects_of_key(record: Record) -> Iterator[Subject]:
    """`{store}:{customer}`, `{store}:{session}`, `{store}:contact:{id}`."""
    _, _, rest = text_of(record.key).partition(":")
    kind, _, number = rest.partition(":")
    if kind in ("contact", "conversation") and number:
        yield Subject(cast("Kind", kind), number)
    elif rest:
        yield from (Subject("customer", rest), Subject("session", rest))


def _of_fields(value: Any) -> Iterator[Subject]:
    waiting = [("", value)]
    while waiting:
        name, one = waiting.pop()
        if isinstance(one, dict):
            # A person or conversation within a body is known by its own id.
            waiting += [(name if key == "id" else key, inner) for key, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(name, inner) for inner in one]
        elif isinstance(one, str | int) and 0 < len(str(one)) <= _LONGEST:
            yield from _of_field(name, str(one))


def _of_field(name: str, text: str) -> Iterator[Subject]:
    if name in _KINDS:
        yield Subject(_KINDS[name], text)
    elif name == "email":
        yield from subjects_named(emails=[text])
    elif name in _PHONES:
        yield from subjects_named(phones=[text])
