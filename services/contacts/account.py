"""A store as its sender sees it, and the calls to its contacts that Chatwoot offers."""

from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from db.pool import Row
from schemas import json_text
from schemas.chatwoot.contacts import CreatedContact, ErrorAnswer, FoundContacts, OneContact, ShownContact
from services.kernel import Chatwoot, ChatwootAnswer, Invalid, Retryable
from services.kernel.errors import describe

_LOCKED_OUT = (401, 402, 403)  # bad token, suspended account, plan without API: the store's matter, not the contact's
Contact = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


class Gone(Exception):
    """This contact is no longer there: deleted, or merged into another."""


class RefusedByChatwoot(Exception):
    """Chatwoot will not have it; `attributes` names the columns it objects to. The same again gets the same answer."""

    def __init__(self, status: int, attributes: tuple[str, ...]) -> None:
        super().__init__(f"Chatwoot answers {status}" + (f": {', '.join(attributes)}" if attributes else ""))
        self.attributes = attributes


@dataclass(frozen=True, slots=True)
class Account:
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

    @classmethod
    def of(cls, row: Row) -> "Account":
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
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """The contacts API of one account. Raises Retryable, Gone, Refused, Invalid."""

    chatwoot: Chatwoot
    base_url: str
    account_id: int
    token: str

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

    async def create(self, contact: Contact) -> ShownContact:
        """A new contact; Refused names the columns that somebody else has."""
        return _read(CreatedContact, await self._call("POST", "", contact)).payload.contact

    async def _call(self, method: str, path: str, body: Any) -> ChatwootAnswer:
        answer = await self.chatwoot.call(
            self.base_url, method, f"/api/v1/accounts/{self.account_id}/contacts{path}", token=self.token, body=body
        )
        if answer.status_code == httpx.codes.NOT_FOUND and answer.is_json:
            raise Gone
        if not answer.is_success and not answer.is_json:
            raise Retryable(f"{answer.status_code}, and no JSON: that is a proxy's answer, not Chatwoot's")
        if answer.status_code in _LOCKED_OUT:
            raise Retryable(f"Chatwoot lets this store's token not in ({answer.status_code})")
        if not answer.is_success:
            raise RefusedByChatwoot(answer.status_code, _objections(answer))
        return answer


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
