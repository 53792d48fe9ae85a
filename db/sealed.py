"""Columns that are sealed with an installation key: `v1.<key id>.<ciphertext>`, bound to store and column."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from db.pool import Connection, Row


@dataclass(frozen=True, slots=True)
class PeoplesColumn:
    """Where a name of somebody stands sealed, or what opens what is held of them: by which columns its rows are told
    apart within a store, their types, and what is less than all of them."""

    table: str
    column: str
    key: Mapping[str, str]
    least: tuple[Any, ...]

    @property
    def name(self) -> str:
        """What its texts are bound to."""
        return f"{self.table}.{self.column}"


COLUMNS = (
    "api_access_token", "webhook_secret", "webhook_secret_previous", "event_secret", "event_secret_previous",
    "vouching_secret", "vouching_secret_previous", "identity_key", "shopify_secret", "shopify_secret_previous",
)  # fmt: skip
_REQUEST = {"id": "uuid"}
PEOPLES = (
    PeoplesColumn("privacy_requests", "subject", _REQUEST, (UUID(int=0),)),
    PeoplesColumn("privacy_requests", "export_key", _REQUEST, (UUID(int=0),)),
    PeoplesColumn(
        "consents", "subject", {"digest": "bytea", "purpose": "text", "said_at": "timestamptz", "given": "bool"},
        (b"", "", datetime.fromtimestamp(0, UTC), False),
    ),
)  # fmt: skip
_HELD = f"""
select id, organization_id, {", ".join(COLUMNS)} from public.chatwoot_accounts
where organization_id = any ($1::uuid[]) order by id for update
"""  # noqa: S608
_KEYS = f"""
select organization_id, split_part(text, '.', 2) as key, array_agg(name order by name) as columns
from public.chatwoot_accounts, unnest(array[{", ".join(f"'{name}'" for name in COLUMNS)}], array[{", ".join(COLUMNS)}]) as t (name, text)
where organization_id = any ($1::uuid[]) and text is not null group by 1, 2
"""  # noqa: S608
_PUT = f"""
update public.chatwoot_accounts set {", ".join(f"{name} = ${at}" for at, name in enumerate(COLUMNS, 2))}, updated_at = now()
where id = $1
"""  # noqa: S608
_PEOPLES_KEYS = f"""
select place, split_part(text, '.', 2) as key, count(*) as texts
from ({" union all ".join(f"select '{one.name}' as place, {one.column} as text from wootstream.{one.table}" for one in PEOPLES)}) t
where text is not null group by 1, 2
"""  # noqa: S608
_PEOPLES_AFTER = """
select {key}, {column} as text from wootstream.{table}
where organization_id = $1 and {column} is not null and ({key}) > ({after}) order by {key} limit $2 for update
"""
_PUT_PEOPLES = """
update wootstream.{table} t set {column} = n.text from unnest($2::text[], {arrays}) as n (text, {key})
where t.organization_id = $1 and {same}
"""


def sealed_for(column: str) -> str:
    """The column that a text is bound to: a previous secret was the current one when it was sealed."""
    return column.removesuffix("_previous")


async def held(conn: Connection, organizations: Collection[UUID]) -> Sequence[Row]:
    """The accounts of these stores with what is sealed in them, locked; the stores must be in scope."""
    return await conn.fetch(_HELD, list(organizations))


async def keys(conn: Connection, organizations: Collection[UUID]) -> Sequence[Row]:
    """organization_id, the id of a key, and the columns it sealed; the stores must be in scope."""
    return await conn.fetch(_KEYS, list(organizations))


async def put(conn: Connection, account: UUID, sealed: Mapping[str, str | None]) -> None:
    """Every column of COLUMNS, sealed anew."""
    await conn.execute(_PUT, account, *(sealed[name] for name in COLUMNS))


async def peoples_keys(conn: Connection) -> Sequence[Row]:
    """Of the stores in scope: place, the id of a key, and how many texts it sealed there."""
    return await conn.fetch(_PEOPLES_KEYS)


async def peoples_after(
    conn: Connection, store: UUID, place: PeoplesColumn, after: tuple[Any, ...], most: int
) -> Sequence[Row]:
    """The next texts of a place, locked: its key's columns, and text."""
    numbers = ", ".join(f"${at}" for at in range(3, 3 + len(place.key)))
    statement = _PEOPLES_AFTER.format(table=place.table, column=place.column, key=", ".join(place.key), after=numbers)
    return await conn.fetch(statement, store, most, *after)


async def put_peoples(
    conn: Connection, store: UUID, place: PeoplesColumn, texts: Mapping[tuple[Any, ...], str]
) -> None:
    """Texts by the key of their rows, sealed anew; they must be locked. As wootstream_privacy."""
    arrays = ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(place.key.values(), 3))
    same = " and ".join(f"t.{name} = n.{name}" for name in place.key)
    statement = _PUT_PEOPLES.format(
        table=place.table, column=place.column, key=", ".join(place.key), arrays=arrays, same=same
    )
    await conn.execute(statement, store, list(texts.values()), *map(list, zip(*texts, strict=True)))
