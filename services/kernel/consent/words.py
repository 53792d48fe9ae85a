"""A person's word: that they agree to a purpose, or no longer do. Wherever it was heard, hashes alone are kept."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from db.pool import Connection
from db.privacy import consents as table
from db.privacy.consents import ConsentRow
from schemas.values.consent import Purpose
from services.kernel.forgetting.subjects import Kind, Pseudonyms, Subject
from services.kernel.record import Record
from services.kernel.secrets import Secrets

Source = Literal["beacon", "shop", "api", "verb"]
_COLUMN = "consents.subject"


@dataclass(frozen=True, slots=True)
class ConsentWord:
    """One word; `subject` is a name of whoever said it."""

    store: UUID
    subject: Subject
    purpose: Purpose
    given: bool
    said_at: datetime
    source: Source
    text_version: str | None = None


class ConsentWords:
    """Writes words down. The service privacy then applies them to what was kept before."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._pseudonyms = Pseudonyms(secrets)

    async def add(self, conn: Connection, words: Collection[ConsentWord]) -> set[ConsentWord]:
        """Those that were news; the stores must be in scope."""
        rows = {row: word for word in words for row in self.rows(word)}
        news = await table.add(conn, rows)
        return {
            word
            for row, word in rows.items()
            if (row.organization_id, row.digest, row.purpose, row.said_at, row.given) in news
        }

    async def heard(self, conn: Connection, told: Sequence[tuple[Record, Iterable[ConsentWord]]]) -> set[Record]:
        """Write down what the records of a batch say; those that told something new."""
        # Of a word that came twice the first record did.
        said = {word: record for record, words in reversed(told) for word in words}
        return {said[word] for word in await self.add(conn, said)}

    def rows(self, word: ConsentWord, names: Iterable[Subject] = (), *, to_apply: bool = True) -> list[ConsentRow]:
        """The word under its own name, or under these; one to apply bears its name, sealed, until that is done."""
        return [
            ConsentRow(
                organization_id=word.store,
                digest=digest,
                purpose=word.purpose,
                said_at=word.said_at,
                given=word.given,
                text_version=word.text_version,
                source=word.source,
                subject=self._sealed(word.store, name) if to_apply else None,
            )
            for name in (tuple(names) or (word.subject,))
            for digest in self._pseudonyms.of(word.store, name)
        ]

    def _sealed(self, store: UUID, name: Subject) -> str:
        return self._secrets.seal(f"{name.kind}:{name.name}", organization=store, column=_COLUMN)

    def opened(self, store: UUID, text: str) -> Subject:
        """Whose word a row is. Raises Sealed where another installation key sealed it."""
        kind, _, name = self._secrets.open(text, organization=store, column=_COLUMN).partition(":")
        return Subject(cast("Kind", kind), name)
