"""Whether a dead letter is about somebody: also one that no service could read, by the names in its bytes.

What is to be forgotten goes wherever a name of theirs stands. What is shown to them is what was told of them, and not
what somebody else has written: an address is what whoever bears it says it is, another's or a single digit.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from db.pool import Connection, Row
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.kernel.forgetting.unreadable import subjects_of_bytes, subjects_of_key
from services.kernel.record import text_of
from services.kernel.sealing.opening import SealOpener
from services.kernel.sealing.whose import of_webhook

_FEWEST_DIGITS = 7  # of a number that is looked for between others; as a phone's field any is found
_NUMBERED = re.compile("(?:conversation|contact):[0-9]{1,19}")
_SHOPIFY = "shopify/"


def may_be_about(record: Record, subjects: Collection[Subject]) -> bool:
    """Whether a name of theirs stands anywhere in an opened one, as a whole."""
    if not subjects_of_bytes(record).isdisjoint(subjects):
        return True
    text = _texts(record.value).lower()
    return any(one.search(text) for one in map(_spelled, subjects) if one)


def was_told_of(record: Record, subjects: Collection[Subject]) -> bool:
    """Whether an opened one is of one of them, where its sender names whom he tells of."""
    return any(one in subjects for one in _told_of(record))


def _spelled(name: Subject) -> re.Pattern[str] | None:
    """An address within other words; none that only ends as this one does, or goes on."""
    text = re.escape(name.name)
    if name.kind == "email":
        return re.compile(rf"(?<![\w.+-]){text}(?![\w-]|\.\w)")
    if name.kind == "phone" and sum(map(str.isdigit, name.name)) >= _FEWEST_DIGITS:
        return re.compile(rf"(?<!\d){text}(?!\d)")
    return None


def _texts(value: bytes) -> str:
    """What is said, without numbers and however it is escaped; of what is no JSON all."""
    try:
        waiting = [orjson.loads(value)]
    except ValueError:
        return value.decode("utf-8", "replace")
    texts = list[str]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            texts.append(one)
        elif isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
    return "\n".join(texts)


def _told_of(record: Record) -> Iterator[Subject]:
    yield from subjects_of_key(record)
    try:
        body = orjson.loads(record.value)
    except ValueError:
        return
    of_key = text_of(record.key).partition(":")[2]
    for part in body if isinstance(body, list) else [body]:
        if isinstance(part, dict):
            event = record.event or ""
            yield from of_webhook(event, of_key if _NUMBERED.fullmatch(of_key) else "", part)
            yield from _of_shop_or_page(event, part)


def _of_shop_or_page(event: str, part: Mapping[str, Any]) -> Iterator[Subject]:
    """A visitor's or a customer's own numbers; their addresses beside these alone."""
    for person in (part, part.get("data"), part.get("customer")):
        if not isinstance(person, dict):
            continue
        yield from subjects_named(
            customers=[_text(person.get("customer_id"))], sessions=[_text(person.get("session_id"))]
        )
        if user := _text(person.get("user_id")):
            yield Subject("user", user)
        if person is not part:
            yield from subjects_named(emails=[_text(person.get("email"))], phones=[_text(person.get("phone"))])
        if event.startswith(_SHOPIFY):
            yield from subjects_named(customers=[_text(person.get("id"))])


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


async def records_of(
    conn: Connection, opener: SealOpener, store: UUID, letters: Sequence[Row]
) -> list[tuple[Row, Record | None]]:
    """Each letter with its record, opened where it is sealed; None: somebody whom it was about is forgotten. What
    cannot be opened for another reason comes as it is."""
    records = [(row, _record(row)) for row in letters]
    unopened = await opener.open(conn, [record for _, record in records], {str(store)}, patient=False)
    return [(row, None if record in unopened.forgotten else record) for row, record in records]


def _record(row: Mapping[str, Any]) -> Record:
    headers = tuple((name, text.encode()) for name, text in row["record_headers"] or ())
    return Record(row["topic"], row["record_key"], row["record_value"] or b"", headers)
