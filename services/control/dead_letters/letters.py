"""`dead-letters list`, `show`, `discard`: what was set aside and why; who looked at a person's data is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from db.pool import Connection, Row
from db.records import dead_letters
from db.records.dead_letters import LetterFilter
from services.control.dead_letters.redacted import header, redacted
from services.control.dead_letters.scope import Advance, scope, slices
from services.kernel import Clock, Record
from services.kernel.actor import note
from services.kernel.errors import Refusal
from services.kernel.sealing.opening import SealOpener, opened_records
from services.kernel.secrets import load_secrets
from services.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class LettersByReason:
    """The letters that one group set aside for one reason."""

    reason: str
    kind: str
    group: str
    topic: str
    letters: int
    value_bytes: int
    not_kept: int  # beyond the store's cap: only the topic has their bytes
    stores: tuple[str, ...]
    oldest: datetime
    newest: datetime
    ids: tuple[int, ...]  # the first few, for `show`


@dataclass(frozen=True, slots=True)
class Shown:
    """One letter; key and value without personal data unless revealed, None where they are not kept."""

    id: int
    store: str | None
    group: str
    topic: str
    partition: int
    offset: int
    kind: str
    reason: str
    set_aside_at: datetime
    redriven_at: datetime | None
    discarded_at: datetime | None
    value_bytes: int
    headers: tuple[tuple[str, str], ...]  # in their order, each as often as it came
    key: str | None
    value: Any


async def by_reason(
    settings: Settings, wanted: LetterFilter, *, store: str | None, limit: int
) -> list[LettersByReason]:
    """The wanted letters by reason, most frequent first."""
    async with scope(settings, wanted, store) as ours, ours.transaction() as conn:
        rows = await dead_letters.by_reason(conn, ours.wanted, limit=limit)
    return [_reason(row, ours.names) for row in rows]


async def choice(
    settings: Settings, wanted: LetterFilter, *, store: str | None, limit: int | None
) -> list[LettersByReason]:
    """What `redrive` or `discard` would take, by reason."""
    async with scope(settings, wanted, store) as ours, ours.transaction() as conn:
        chosen = await dead_letters.chosen(conn, ours.wanted, limit=limit)
        taken = replace(ours.wanted, ids=tuple(row["id"] for row in chosen))
        rows = await dead_letters.by_reason(conn, taken, limit=len(chosen))
    return [_reason(row, ours.names) for row in rows]


async def show(settings: Settings, number: int, *, reveal: bool) -> Shown:
    """One letter. To reveal it is written down first: who, when, which. Raises Refusal."""
    async with scope(settings, LetterFilter(), None) as ours, ours.transaction() as conn:
        row = await dead_letters.one(conn, number)
        if row is None:
            raise Refusal(f"there is no dead letter {number}: see `wootstream dead-letters list`")
        # In the transaction that reads it: who cannot be written down sees nothing.
        if reveal:
            await note(conn, "dead-letters show --reveal", store=row["organization_id"], thing=f"dead letter {number}")
        opened = await _opened(conn, settings, row)
    return _shown(opened, ours.names, reveal=reveal)


async def _opened(conn: Connection, settings: Settings, row: Row) -> Mapping[str, Any]:
    """As the door took it, where it was sealed and can be opened."""
    if row["record_value"] is None or row["record_headers"] is None:
        return row
    headers = tuple((name, text.encode()) for name, text in row["record_headers"])
    record = Record(row["topic"], row["record_key"], row["record_value"], headers)
    await opened_records(conn, SealOpener(load_secrets(settings), Clock()), [record])
    return {**row, "record_key": record.key, "record_value": record.value}


async def discard(
    settings: Settings, wanted: LetterFilter, *, store: str | None, limit: int | None, advance: Advance
) -> int:
    """Give the wanted letters up for good; answers how many."""
    async with scope(settings, wanted, store) as ours:
        async with ours.transaction() as conn:
            chosen = await dead_letters.chosen(conn, ours.wanted, limit=limit)
        done = 0
        for part in slices(chosen):
            async with ours.transaction() as conn:
                given_up = await dead_letters.discard(conn, part)
                await note(conn, "dead-letters discard", store=ours.wanted.store, thing=f"{given_up} dead letters")
            done += given_up
            advance(done, len(chosen))
    return done


def _reason(row: Row, names: dict[UUID, str]) -> LettersByReason:
    stores = sorted("(unreadable)" if one is None else names.get(one, str(one)) for one in row["organizations"])
    return LettersByReason(
        reason=row["reason"], kind=row["kind"], group=row["consumer_group"], topic=row["topic"],
        letters=row["letters"], value_bytes=row["value_bytes"], not_kept=row["without_value"], stores=tuple(stores),
        oldest=row["oldest"], newest=row["newest"], ids=tuple(row["first_ids"]),
    )  # fmt: skip


def _shown(row: Mapping[str, Any], names: dict[UUID, str], *, reveal: bool) -> Shown:
    key, value = row["record_key"], row["record_value"]
    return Shown(
        id=row["id"], store=names.get(row["organization_id"]), group=row["consumer_group"], topic=row["topic"],
        partition=row["partition"], offset=row["record_offset"], kind=row["kind"], reason=row["reason"],
        set_aside_at=row["set_aside_at"], redriven_at=row["redriven_at"], discarded_at=row["discarded_at"],
        value_bytes=row["value_bytes"],
        headers=tuple((name, text if reveal else header(name, text)) for name, text in row["record_headers"] or ()),
        key=None if key is None else _text(key) if reveal else f"<{len(key)} bytes>",
        value=None if value is None else _text(value) if reveal else redacted(value),
    )  # fmt: skip


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
