"""What a person may see and take along: every row of ours and every letter that is about them, on request their chats;
beside each part why it is held, from where, and for how long."""

import csv
import html
import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson

from db.pool import PRIVACY, scoped
from db.privacy import column_comments, consents, erasing, holdings, unnamed_chats
from schemas.values.sheet_cells import guarded
from services.kernel import Process, Record, Refusal
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.erasures.letter_subjects import records_of, was_told_of
from services.privacy.exports.chat_reader import YOU, chats_of
from services.privacy.processing_record import ProcessedColumn, processed
from services.privacy.who import PersonNames, find_by_all

_LETTERS = 200
# What the person, or their browser, told: GDPR art. 20 gives them that alone in a form that machines read.
_GIVEN = (
    "wootstream.customers", "wootstream.orders", "wootstream.visits", "public.chatwoot_widget_events",
    "wootstream.consents",
)  # fmt: skip
_LETTERS_PART, _CHATS_PART, _MESSAGES_PART, _NO_CHATS_PART = "dead letters", "chats", "messages", "chats are not in it"
_CUT_PART = "parts that are not whole"
# Parts that are no table of ours, or have another name here.
_PARTS = {_LETTERS_PART: "wootstream.dead_letters"}
_OF_CHATWOOT = tuple(
    ProcessedColumn(part, column, what, "answer customers", "you and who answered you",
                    "in Chatwoot, as the store keeps it", "staff of the store")
    for part, column, what in (
        (_CHATS_PART, "conversation", "Chatwoot's number of a conversation"),
        (_MESSAGES_PART, "text", "what was written"),
        (_MESSAGES_PART, "files", "what was attached"),
    )
)  # fmt: skip
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>What is held about you</title>
<style>body{{font:16px sans-serif;margin:2em}}table{{border-collapse:collapse;margin:1em 0}}
td,th{{border:1px solid #999;padding:.3em;text-align:left;vertical-align:top}}</style>
<h1>What is held about you</h1>{sections}</html>"""
HeldRows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """By table, or other part, which has rows; chats as Chatwoot has them."""

    tables: Mapping[str, HeldRows]
    columns: Sequence[ProcessedColumn]


async def gather(
    process: Process, store: UUID, *names: Subject, include_chat: bool = False
) -> tuple[PersonNames, Holdings]:
    """Who that is, and all that is held of them at one moment of each table.

    With chats, raises Retryable while Chatwoot cannot tell them, Refusal where there are too many."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        person = await find_by_all(conn, store, names)
        digests = [one for name in person.subjects for one in Pseudonyms(process.secrets).of(store, name)]
        # Theirs all the same, for a hash of ours says so.
        unnamed = await unnamed_chats.of(conn, store, digests)
        parts: dict[str, HeldRows] = {}
        for table in holdings.TABLES:
            parts[table] = await holdings.rows(
                conn, store, table, customers=person.customers, contacts=person.contact_ids,
                conversations=person.conversations, unnamed=unnamed, sessions=person.sessions, users=person.users,
            )  # fmt: skip
        parts["wootstream.consents"] = [dict(row) for row in await consents.listed(conn, store, digests)]
        columns = processed(await column_comments.columns(conn))
    parts |= _cut(parts)
    parts[_LETTERS_PART] = await _letters(process, store, person)
    if include_chat:
        chats = await chats_of(process, store, person)
        parts |= {_CHATS_PART: chats.conversations, _MESSAGES_PART: chats.messages}
        parts[_NO_CHATS_PART] = [{"because": chats.absent}] if chats.absent else []
    return person, Holdings({part: rows for part, rows in parts.items() if rows}, [*columns, *_OF_CHATWOOT])


def packed(held: Holdings) -> bytes:
    """A ZIP: data.json, about.json (why each part is held), a page to read, what the person gave as JSON and CSV."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", _json(held.tables))
        archive.writestr(
            "about.json", _json({part: [one._asdict() for one in _about(held, part)] for part in held.tables})
        )
        archive.writestr("read-me.html", _page(held))
        given = {part: rows for part, rows in held.tables.items() if part in _GIVEN}
        if written := [row for row in held.tables.get(_MESSAGES_PART, ()) if row["from"] == YOU]:
            given[_MESSAGES_PART] = written
        archive.writestr("portable/data.json", _json(given))
        for part, rows in given.items():
            archive.writestr(f"portable/{part.rpartition('.')[2]}.csv", _csv(rows))
    return file.getvalue()


def counts(held: Holdings) -> dict[str, int]:
    """Rows by part: what may stand in a proof."""
    return {part: len(rows) for part, rows in held.tables.items()}


@contextmanager
def written_private(to: Path, content: bytes) -> Iterator[None]:
    """For the operator's eyes alone; it stays if all is well within. Raises Refusal where there is a file already."""
    try:
        file = open(to, "xb", opener=_private)  # noqa: SIM115
    except OSError as error:
        raise Refusal(f"{to} cannot be written ({error.strerror}): name a file that is not there yet") from error
    try:
        _write_whole(file, content)
        yield
    except BaseException:  # what is cut short, or nobody wrote down, was not shown
        to.unlink(missing_ok=True)
        raise


def _write_whole(file: BinaryIO, content: bytes) -> None:
    try:
        with file:
            file.write(content)
    except OSError as error:
        raise Refusal(f"{file.name} cannot be written ({error.strerror}): name one where there is room") from error


def _cut(parts: Mapping[str, HeldRows]) -> Mapping[str, HeldRows]:
    """Parts that have more than one file should hold, without the rest, and beside them a word of it."""
    most = holdings.MOST_ROWS
    long = {part: rows[:most] for part, rows in parts.items() if len(rows) > most}
    said = [{"part": part, "because": f"there are more than {most:,} lines: ask for the others"} for part in long]
    return {**long, _CUT_PART: said}


def _about(held: Holdings, part: str) -> Sequence[ProcessedColumn]:
    return [one for one in held.columns if one.table == _PARTS.get(part, part)]


async def _letters(process: Process, store: UUID, person: PersonNames) -> HeldRows:
    found: list[Mapping[str, Any]] = []
    after = 0
    while True:
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            letters = await erasing.letters_after(conn, store, after, _LETTERS)
            records = await records_of(conn, process.opener, store, letters)
        if not letters:
            return found
        after = letters[-1]["id"]
        found += [_letter(one) for _, one in records if one is not None and was_told_of(one, person.subjects)]


def _letter(record: Record) -> Mapping[str, Any]:
    key, value = record.key or b"", record.value
    return {"topic": record.topic, "key": key.decode("utf-8", "replace"), "value": value.decode("utf-8", "replace")}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _json(tables: Mapping[str, HeldRows]) -> bytes:
    return orjson.dumps(tables, option=orjson.OPT_INDENT_2, default=str)


def _csv(rows: HeldRows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]])
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    text = orjson.dumps(value).decode() if isinstance(value, dict | list) else value
    return guarded(text) if isinstance(text, str) else text


def _page(held: Holdings) -> str:
    return _PAGE.format(
        sections="".join(_section(part, rows, _about(held, part)) for part, rows in held.tables.items())
    )


def _section(part: str, rows: HeldRows, about: Sequence[ProcessedColumn]) -> str:
    names = [*rows[0]]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(_cell(row.get(name)) or ''))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    why = "".join(
        f"<li>{html.escape(f'{one.column}: {one.what}, for: {one.purpose}; from: {one.source}; kept: {one.kept}')}</li>"
        for one in about
    )
    return f"<h2>{html.escape(part)}</h2><ul>{why}</ul><table><tr>{head}</tr>{body}</table>"
