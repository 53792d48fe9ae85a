"""The names under which a store knows a person, and the keyed hashes that stay of them once the person is erased."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple
from uuid import UUID

from services.kernel.secrets import Secrets

Kind = Literal["customer", "email", "phone", "contact", "conversation", "session", "user"]
DIGEST_BYTES = 16
_NO_DIGIT = re.compile(r"[^\d+]")


class Subject(NamedTuple):
    """One name of a person within a store; equal names are written alike, whoever wrote them."""

    kind: Kind
    name: str


def subjects_named(
    *,
    customers: Iterable[str | None] = (),
    emails: Iterable[str | None] = (),
    phones: Iterable[str | None] = (),
    contacts: Iterable[int | None] = (),
    conversations: Iterable[int | None] = (),
    sessions: Iterable[str | None] = (),
    users: Iterable[UUID | None] = (),
) -> Iterator[Subject]:
    """Each of these that is there, as a subject."""
    yield from (Subject("customer", one) for one in customers if one)
    yield from (Subject("email", one.strip().lower()) for one in emails if one and one.strip())
    yield from (Subject("phone", plain) for one in phones if one and (plain := plain_phone(one)))
    yield from (Subject("contact", str(one)) for one in contacts if one is not None)
    yield from (Subject("conversation", str(one)) for one in conversations if one is not None)
    yield from (Subject("session", one) for one in sessions if one)
    yield from (Subject("user", str(one)) for one in users if one is not None)


def plain_phone(text: str) -> str:
    """Without the blanks, dashes and brackets that people put between the digits."""
    return _NO_DIGIT.sub("", text)


class Pseudonyms:
    """Keyed hashes of names: of one store, and of no use to who lacks the installation key."""

    def __init__(self, secrets: Secrets) -> None:
        keys = secrets.derive("erased subjects")

        # A store's own keys, so that one person has other hashes in each store.
        @lru_cache(maxsize=10_000)
        def of_store(store: UUID) -> tuple[bytes, ...]:
            return tuple(hashlib.blake2b(store.bytes, key=key).digest() for key in keys)

        self._of_store = of_store

    def of(self, store: UUID, subject: Subject) -> list[bytes]:
        """The digest by each installation key; the first is by the one that seals."""
        text = f"{subject.kind}\0{subject.name}".encode("utf-8", "backslashreplace")
        return [hashlib.blake2b(text, key=key, digest_size=DIGEST_BYTES).digest() for key in self._of_store(store)]
