"""Whether a dead letter is about somebody: also one that no service could read, by the names in its bytes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from db.pool import Connection, Row
from services.kernel import Record
from services.kernel.forgetting.subjects import Subject
from services.kernel.forgetting.unreadable import subjects_of_bytes
from services.kernel.sealing.opening import SealOpener


def is_about(record: Record, subjects: Collection[Subject]) -> bool:
    """Of an opened one."""
    low = record.value.lower()
    if any(one.name.encode() in low for one in subjects if one.kind in ("email", "phone")):
        return True
    return not subjects_of_bytes(record).isdisjoint(subjects)


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
