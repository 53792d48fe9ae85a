"""Who bears a name of which only the hash is known: every name of a store is hashed and held against it."""

from collections.abc import Mapping
from uuid import UUID

from db.pool import Connection
from db.privacy import people
from services.kernel.forgetting.subjects import Kind, Pseudonyms, Subject
from services.privacy.who import PersonNames


async def bearers(conn: Connection, pseudonyms: Pseudonyms, store: UUID, digests: Mapping[bytes, Kind]) -> PersonNames:
    """All of a store's names that these are the hashes of, as one person; the store must be in scope."""
    named: dict[Kind, set[str]] = {}
    for kind in set(digests.values()):
        named[kind] = {
            name
            for name in await people.names(conn, store, kind)
            if any(digest in digests for digest in pseudonyms.of(store, Subject(kind, name)))
        }
    return PersonNames(
        store=store,
        asked=Subject("customer", ""),
        customers=frozenset(named.get("customer", ())),
        contacts=frozenset((0, int(one)) for one in named.get("contact", ())),
        conversations=frozenset(map(int, named.get("conversation", ()))),
        emails=frozenset(named.get("email", ())),
        phones=frozenset(named.get("phone", ())),
        sessions=frozenset(named.get("session", ())),
        users=frozenset(map(UUID, named.get("user", ()))),
    )
