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
    # Plain loops, not a generator each: this runs for every record that may be about somebody erased.
    for customer in customers:
        if customer:
            yield Subject("customer", customer)
    for email in emails:
        if email and (bare := bare_email(email).lower()):
            yield Subject("email", bare)
    for phone in phones:
        if phone and (plain := plain_phone(phone)):
            yield Subject("phone", plain)
    for contact in contacts:
        if contact is not None:
            yield Subject("contact", str(contact))
    for conversation in conversations:
        if conversation is not None:
            yield Subject("conversation", str(conversation))
    for session in sessions:
        if session:
            yield Subject("session", session)
    for user in users:
        if user is not None:
            yield Subject("user", str(user))


def bare_email(text: str) -> str:
    """As tables have it, too: without what people leave around it, or one address would be two names."""
    return text.strip()


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
        return [*_digests(self._of_store(store), subject)]

    def of_all(self, store: UUID, subjects: Iterable[Subject]) -> list[bytes]:
        """The digests of all of these."""
        keys = self._of_store(store)
        return [digest for subject in subjects for digest in _digests(keys, subject)]


# The same people come again and again, record after record.
@lru_cache(maxsize=20_000)
def _digests(keys: tuple[bytes, ...], subject: Subject) -> tuple[bytes, ...]:
    text = f"{subject.kind}\0{subject.name}".encode("utf-8", "backslashreplace")
    return tuple(hashlib.blake2b(text, key=key, digest_size=DIGEST_BYTES).digest() for key in keys)
