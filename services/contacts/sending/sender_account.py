"""A store as its sender sees it: where its people's attributes go, and what of them may leave the house."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from pydantic import ValidationError

from db.pool import Row
from schemas.values.formats import AS_SPECIFIED, Formats

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SenderAccount:
    """An active store's Chatwoot account; the token is sealed until it is used."""

    store: UUID
    account_id: int
    base_url: str
    sealed_token: str | None
    push: str
    create_contacts: bool
    allowed: frozenset[str] | None
    currency: str
    timezone: str
    formats: Formats = AS_SPECIFIED
    agents_may_change: frozenset[str] = frozenset()
    trouble: str | None = None  # why the last call failed

    @classmethod
    def of(cls, row: Row) -> "SenderAccount":
        allowed = row["allowed_attributes"]
        return cls(
            store=row["organization_id"],
            account_id=row["chatwoot_account_id"],
            base_url=row["chatwoot_base_url"],
            sealed_token=row["api_access_token"],
            push=row["push"],
            create_contacts=row["create_contacts"],
            allowed=None if allowed is None else frozenset(allowed),
            currency=row["currency"],
            timezone=row["timezone"],
            formats=_formats(row),
            agents_may_change=frozenset(row["agents_may_change"]),
            trouble=row["sync_error"],
        )


def _formats(row: Row) -> Formats:
    """As specified where a later release wrote what this one does not know: one row must not stop the other stores."""
    try:
        return Formats.model_validate(row["formats"]) if row["formats"] else AS_SPECIFIED
    except ValidationError:
        log.warning("formats_are_unknown", store=str(row["organization_id"]))
        return AS_SPECIFIED
