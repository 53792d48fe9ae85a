"""Whether a dead letter is about somebody: also one that no service could read, by the names in its bytes."""

from collections.abc import Collection, Mapping
from typing import Any

from services.kernel import Record
from services.kernel.forgetting.subjects import Subject
from services.kernel.forgetting.unreadable import subjects_of_bytes


def is_about(row: Mapping[str, Any], subjects: Collection[Subject]) -> bool:
    """`row` has topic, record_key and record_value."""
    value = row["record_value"] or b""
    low = value.lower()
    if any(one.name.encode() in low for one in subjects if one.kind in ("email", "phone")):
        return True
    return not subjects_of_bytes(Record(row["topic"], row["record_key"], value, ())).isdisjoint(subjects)
