"""The Chatwoot that is served, a store's account there, and the calls to its contacts that it offers; and what its
answers mean for the sender."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from db.pool import Row
from schemas.chatwoot.contacts import CreatedContact, ErrorAnswer, FoundContacts, OneContact, ShownContact
from schemas.values import json_text
from schemas.values.formats import AS_SPECIFIED, Formats
from services.contacts.sending.leases import Lease
from services.contacts.sending.metrics import SenderMetrics
from services.kernel import ChatwootAnswer, Invalid, Process, Retryable, Sealed
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, Gone, unsealed_token
from services.kernel.errors import describe

_LOCKED_OUT = (401, 402, 403)  # bad token, suspended account, plan without API: the store's matter, not the contact's
Model = TypeVar("Model", bound=BaseModel)
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


class RefusedByChatwoot(Exception):
    """Chatwoot will not have it; `attributes` names the columns it objects to. The same again gets the same answer."""

    def __init__(self, status: int, attributes: tuple[str, ...]) -> None:
        super().__init__(f"Chatwoot answers {status}" + (f": {', '.join(attributes)}" if attributes else ""))
        self.attributes = attributes


@dataclass(frozen=True, slots=True)
class ContactsApi:
    """The contacts of one account. Every call raises Retryable, Gone, RefusedByChatwoot, Invalid."""

    account: ChatwootAccount

    async def put(self, contact_id: int, attributes: dict[str, Any]) -> ShownContact:
        """Merge attributes into the contact's; the answer holds them all."""
        answer = await self._call("PUT", f"/{contact_id}", {"custom_attributes": attributes})
        return _read(OneContact, answer).payload

    async def remove(self, contact_id: int, keys: tuple[str, ...]) -> ShownContact:
        """Remove attributes: a null would stay as a null."""
        answer = await self._call("POST", f"/{contact_id}/destroy_custom_attributes", {"custom_attributes": list(keys)})
        return _read(OneContact, answer).payload

    async def find(self, names: dict[str, str]) -> tuple[ShownContact, ...]:
        """Whoever bears one of these names. The filter is exact, and unlike the search it has no limit of its own."""
        last = len(names) - 1
        wanted = [
            {
                "attribute_key": key,
                "filter_operator": "equal_to",
                "values": [value],
                "query_operator": "OR" if at < last else None,
            }
            for at, (key, value) in enumerate(names.items())
        ]
        return _read(FoundContacts, await self._call("POST", "/filter", {"payload": wanted})).payload

    async def create(self, contact: dict[str, Any]) -> ShownContact:
        """A new contact; RefusedByChatwoot names the columns that somebody else has."""
        return _read(CreatedContact, await self._call("POST", "", contact)).payload.contact

    async def _call(self, method: str, path: str, body: Any) -> ChatwootAnswer:
        answer = await self.account.call(method, self.account.path(f"contacts{path}"), body=body)
        if answer.status_code == httpx.codes.NOT_FOUND and answer.is_json:
            raise Gone("Chatwoot has no such contact")
        if not answer.is_success and not answer.is_json:
            raise Retryable(f"{answer.status_code}, and no JSON: that is a proxy's answer, not Chatwoot's")
        if answer.status_code in _LOCKED_OUT:
            raise Retryable(f"Chatwoot lets this store's token not in ({answer.status_code})")
        if not answer.is_success:
            raise RefusedByChatwoot(answer.status_code, _objections(answer))
        return answer


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


def _objections(answer: ChatwootAnswer) -> tuple[str, ...]:
    try:
        return json_text.read(ErrorAnswer.model_validate_json, answer.content).attributes
    except ValidationError:
        return ()


def _read(model: type[Model], answer: ChatwootAnswer) -> Model:
    """Raises Invalid where it is JSON but no contact: that is this contact's matter, and not the store's."""
    try:
        return json_text.read(model.model_validate_json, answer.content)
    except ValidationError as cause:
        if any(fault["type"] == "json_invalid" for fault in cause.errors(include_input=False)):
            raise Retryable("Chatwoot's answer is cut short or damaged") from cause
        raise Invalid(f"Chatwoot's answer is no contact: {describe(cause)}") from cause
