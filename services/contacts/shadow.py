"""What stores in shadow would send: by person and attribute, a page at a time; who asks is written down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db import stores
from db.people import pushes
from db.pool import Pool, Row, scoped
from schemas.bounds import MOST_INT4
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import stores_named

MOST = 1_000  # people of a page
_DIGITS = 10  # of an int4
_BEGINNING = ("", 0)


@dataclass(frozen=True, slots=True)
class AttributeLine:
    """One attribute of one person; `would_be` None: it would be removed."""

    store: str
    contact: int
    customer: str | None
    attribute: str
    chatwoot_has: Any
    would_be: Any
    computed_at: datetime


async def differences(pool: Pool, store: str | None, after: tuple[str, int], most: int) -> list[Row]:
    """Of one store in shadow, or of all. Raises Refusal."""
    named = await stores_named(pool, store)
    async with scoped(pool, named.values()) as conn:
        if store and (account := await stores.account(conn, named[store])) and account["push"] != "shadow":
            raise Refusal(f"store {store} is {account['push']}, not in shadow: `wootstream push mode {store} shadow`")
        rows = await pushes.differences(conn, after=after, limit=most)
        # Who saw which store's people: once a store, in one order.
        for organization in sorted({named[row["slug"]] for row in rows}):
            await note(conn, "push diff", store=organization, thing="attributes")
    return list(rows)


def page_of(rows: Sequence[Row], most: int) -> dict[str, Any]:
    """Its lines, and after whom the next page begins; None: this is the last."""
    more = f"{rows[-1]['slug']}/{rows[-1]['chatwoot_contact_id']}" if len(rows) == most else None
    return {"lines": [line for row in rows for line in _lines(row)], "after": more}


def place(after: str) -> tuple[str, int]:
    """Where a page begins, as the last one said. Raises Refusal."""
    store, slash, contact = after.rpartition("/")
    if after and not (slash and contact.isdecimal() and len(contact) <= _DIGITS and int(contact) <= MOST_INT4):
        raise Refusal(f"--after {after} is no place: take what the last page said, like nl/17")
    return (store, int(contact)) if after else _BEGINNING


def _lines(row: Row) -> Iterator[AttributeLine]:
    wanted = row["changed"] | dict.fromkeys(row["removed"])
    for name, would_be in sorted(wanted.items()):
        has = row["cached_attributes"].get(name)
        yield AttributeLine(
            row["slug"], row["chatwoot_contact_id"], row["customer_id"], name, has, would_be, row["computed_at"]
        )
