"""What each piece of the sender's work stands on: the Chatwoot that is served, and a store's account there."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from pydantic import ValidationError

from db.pool import Row
from schemas.values.formats import AS_SPECIFIED, Formats
from services.contacts.sending.contacts_api import ContactsApi
from services.contacts.sending.leases import Lease
from services.contacts.sending.metrics import SenderMetrics
from services.kernel import Process, Retryable, Sealed
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, unsealed_token

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


@dataclass(frozen=True, slots=True)
class ServedChatwoot:
    """One that this process sends to; its lease is checked before each call, and before its outcome is written down."""

    process: Process
    counts: SenderMetrics
    lease: Lease

    def api(self, account: SenderAccount) -> ContactsApi:
        """An account's contacts, with its token. One that our key does not open is Retryable: other stores go on."""
        token = ""  # of a store attached without one: Chatwoot lets it not in, and that is Retryable, too
        if account.sealed_token:
            try:
                token = unsealed_token(self.process.secrets, account.sealed_token, store=account.store)
            except Sealed as cause:
                raise Retryable(str(cause)) from cause
        chatwoot, where = self.process.chatwoot, (account.store, account.base_url, account.account_id)
        return ContactsApi(ChatwootAccount(chatwoot, *where, token, self.lease.check))


def _formats(row: Row) -> Formats:
    """As specified where a later release wrote what this one does not know: one row must not stop the other stores."""
    try:
        return Formats.model_validate(row["formats"]) if row["formats"] else AS_SPECIFIED
    except ValidationError:
        log.warning("formats_are_unknown", store=str(row["organization_id"]))
        return AS_SPECIFIED
