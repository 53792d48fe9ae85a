"""Dead letters as the kernel writes them."""

import orjson

from db.dead_letters import Letter
from db.ledger import Place
from services.kernel.record import Record, store_of, text_of


def letter_of(one: Record, place: Place, kind: str, reason: str) -> Letter:
    """The row of a record that is set aside; nothing in it may be refused in its turn."""
    headers = [[_storable(name), _storable(text_of(value))] for name, value in one.headers]
    return Letter(
        era=place.era,
        partition=one.partition,
        offset=one.offset,
        organization_id=store_of(one.store_name),
        kind=kind,
        reason=_storable(reason),
        key=one.key,
        value=one.value,
        headers=orjson.dumps(headers).decode(),
    )


def _storable(text: str) -> str:
    """What PostgreSQL takes as text: a NUL and half a surrogate pair are shown escaped."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
