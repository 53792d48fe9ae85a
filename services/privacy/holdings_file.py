"""What a person may see and take along: every row of ours and every letter that is about them, and why it is held."""

import csv
import html
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from db.pool import PRIVACY, scoped
from db.privacy import column_comments, consents, erasing, holdings, requests
from services.kernel import Process, Record, Refusal
from services.kernel.actor import note
from services.kernel.forgetting.subjects import Pseudonyms, Subject
from services.privacy.erasures.letter_subjects import is_about, records_of
from services.privacy.processing_record import ProcessedColumn, processed
from services.privacy.who import PersonNames, find

_DEADLINE = timedelta(days=30)
_LETTERS = 200
# What the person, or their browser, told: GDPR art. 20 gives them that alone in a form that machines read.
_GIVEN = ("wootstream.customers", "wootstream.orders", "wootstream.visits", "public.chatwoot_widget_events")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>What is held about you</title>
<style>body{{font:16px sans-serif;margin:2em}}table{{border-collapse:collapse;margin:1em 0}}
td,th{{border:1px solid #999;padding:.3em;text-align:left;vertical-align:top}}</style>
<h1>What is held about you</h1>{sections}</html>"""
HeldRows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """By table; letters as the table `dead letters`."""

    tables: Mapping[str, HeldRows]
    columns: Sequence[ProcessedColumn]


async def gather(process: Process, store: UUID, asked: Subject) -> tuple[PersonNames, Holdings]:
    """Who that is, and all that is held of them at one moment of each table."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        person = await find(conn, store, asked)
        tables: dict[str, HeldRows] = {}
        for table in holdings.TABLES:
            tables[table] = await holdings.rows(
                conn, store, table, customers=person.customers, contacts=person.contact_ids,
                conversations=person.conversations, sessions=person.sessions, users=person.users,
            )  # fmt: skip
        digests = [one for name in person.subjects for one in Pseudonyms(process.secrets).of(store, name)]
        tables["wootstream.consents"] = [dict(row) for row in await consents.listed(conn, store, digests)]
        columns = processed(await column_comments.columns(conn))
    tables["dead letters"] = await _letters(process, store, person)
    return person, Holdings({table: rows for table, rows in tables.items() if rows}, columns)


async def export(process: Process, store: UUID, asked: Subject, to: Path) -> dict[str, int]:
    """Write it where the operator says, for their eyes alone; nothing stays here. Rows by table; raises Refusal."""
    person, held = await gather(process, store, asked)
    _write(to, packed(held))
    counts = {table: len(rows) for table, rows in held.tables.items()}
    request, now = uuid4(), process.clock.now()
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        await requests.add(conn, store, request, kind="access", source="verb", asked_at=now, deadline=now + _DEADLINE,
                           subject=None)  # fmt: skip
        await requests.step_done(conn, store, request, "exported", counts)
        await requests.move(conn, store, request, "done")
        await note(conn, "privacy export", store=store, thing=f"request {request}, a person by {person.asked.kind}")
    return counts


def packed(held: Holdings) -> bytes:
    """A ZIP: data.json, a page to read, and what the person gave as JSON and CSV."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", _json(held.tables))
        archive.writestr("read-me.html", _page(held))
        given = {table: rows for table, rows in held.tables.items() if table in _GIVEN}
        archive.writestr("portable/data.json", _json(given))
        for table, rows in given.items():
            archive.writestr(f"portable/{table.rpartition('.')[2]}.csv", _csv(rows))
    return file.getvalue()


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
        found += [_letter(one) for _, one in records if one is not None and is_about(one, person.subjects)]


def _letter(record: Record) -> Mapping[str, Any]:
    key, value = record.key or b"", record.value
    return {"topic": record.topic, "key": key.decode("utf-8", "replace"), "value": value.decode("utf-8", "replace")}


def _write(to: Path, content: bytes) -> None:
    try:
        with open(to, "xb", opener=_private) as file:
            file.write(content)
    except OSError as error:
        raise Refusal(f"{to} cannot be written ({error.strerror}): name a file that is not there yet") from error


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
    """A sheet of cells takes what begins so for a formula."""
    text = orjson.dumps(value).decode() if isinstance(value, dict | list) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@") else text


def _page(held: Holdings) -> str:
    return _PAGE.format(sections="".join(_section(table, rows, held.columns) for table, rows in held.tables.items()))


def _section(table: str, rows: HeldRows, columns: Sequence[ProcessedColumn]) -> str:
    names = [*rows[0]]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(_cell(row.get(name)) or ''))}</td>" for name in names) + "</tr>"
        for row in rows
    )
    why = "".join(
        f"<li>{html.escape(f'{one.column}: {one.what}, for: {one.purpose}; from: {one.source}; kept: {one.kept}')}</li>"
        for one in columns
        if one.table == table
    )
    return f"<h2>{html.escape(table)}</h2><ul>{why}</ul><table><tr>{head}</tr>{body}</table>"
