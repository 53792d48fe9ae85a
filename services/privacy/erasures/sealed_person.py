"""Whom a request is about, sealed with the installation key for as long as its steps need the names."""

from typing import Any, cast
from uuid import UUID

import orjson

from services.kernel.forgetting.subjects import Subject
from services.kernel.secrets import Secrets
from services.privacy.erasures.contact_removal import InChatwoot
from services.privacy.who import PersonNames

_COLUMN = "privacy_requests.subject"
_TEXTS = ("customers", "emails", "phones", "sessions")


def sealed(secrets: Secrets, person: PersonNames, in_chatwoot: InChatwoot) -> str:
    """The names alone; `opened` makes the same person of it."""
    names: dict[str, Any] = {name: sorted(getattr(person, name)) for name in _TEXTS}
    names |= {
        "asked": list(person.asked), "also": [list(one) for one in person.also], "contacts": sorted(person.contacts),
        "users": sorted(map(str, person.users)),
        "conversations": sorted(person.conversations), "in_chatwoot": in_chatwoot,
    }  # fmt: skip
    return secrets.seal(orjson.dumps(names).decode(), organization=person.store, column=_COLUMN)


def opened(secrets: Secrets, store: UUID, text: str) -> tuple[PersonNames, InChatwoot]:
    """Raises Sealed where another installation key sealed it."""
    names = orjson.loads(secrets.open(text, organization=store, column=_COLUMN))
    person = PersonNames(
        store=store,
        asked=Subject(*names["asked"]),
        contacts=frozenset((account, contact) for account, contact in names["contacts"]),
        conversations=frozenset(names["conversations"]),
        users=frozenset(map(UUID, names["users"])),
        also=tuple(Subject(*one) for one in names.get("also", ())),
        **{name: frozenset(names[name]) for name in _TEXTS},
    )
    return person, cast("InChatwoot", names["in_chatwoot"])
