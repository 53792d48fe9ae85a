"""Who is who: contacts as Chatwoot showed them, the newest word of each, and no name held by two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

Key = tuple[UUID, int, int]


@dataclass(frozen=True, slots=True)
class KnownContact:
    """A contact as of `seen_at`, by Chatwoot's clock. E-mail, identifier and user are one contact's at a time."""

    store: UUID
    account_id: int
    contact_id: int
    seen_at: datetime
    email: str | None = None
    phone: str | None = None
    customer_id: str | None = None
    user_id: UUID | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        return self.store, self.account_id, self.contact_id

    @property
    def names(self) -> tuple[Any, ...]:
        return self.email, self.phone, self.customer_id, self.user_id

    @property
    def person(self) -> str | None:
        """How the mailbox calls them; None for a visitor without a name, of whom there is nothing to say."""
        if self.customer_id:
            return f"customer:{self.customer_id}"
        return f"contact:{self.contact_id}" if self.email or self.phone else None


def without_doubles(contacts: Iterable[KnownContact]) -> dict[Key, KnownContact]:
    """Where two contacts bear one name, who was seen later has it: Chatwoot had let it go from the other before."""
    result: dict[Key, KnownContact] = {}
    taken: set[object] = set()

    def free(contact: KnownContact, kind: str, name: object) -> bool:
        place = (contact.store, contact.account_id, kind, name)
        is_free = place not in taken
        taken.add(place)
        return is_free

    # E-mails are unique without regard to case, identifiers with: so Chatwoot's own indexes have it.
    for one in sorted(contacts, key=lambda contact: (contact.seen_at, contact.contact_id), reverse=True):
        result[one.key] = replace(
            one,
            email=one.email if one.email and free(one, "email", one.email.lower()) else None,
            customer_id=one.customer_id if one.customer_id and free(one, "customer", one.customer_id) else None,
            user_id=one.user_id if one.user_id and free(one, "user", one.user_id) else None,
        )
    return result


def matters(before: KnownContact | None, now: KnownContact) -> bool:
    """Does the sender have to look? Yes, when names moved, or when somebody else changed what we had written."""
    if before is None or before.names != now.names:
        return True
    return any(now.attributes.get(key) != before.attributes.get(key) for key in before.written)
