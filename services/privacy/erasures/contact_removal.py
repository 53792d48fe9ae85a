"""The person leaves Chatwoot: their contacts are deleted, or emptied of whatever names them, and that is looked at."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import httpx
from pydantic import ValidationError

from db import stores
from db.pool import PRIVACY, scoped
from schemas.chatwoot.contacts import FoundContacts, OneContact
from schemas.values import json_text
from services.kernel import ChatwootAnswer, Process, Retryable, Sealed
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, unsealed_token
from services.privacy.who import PersonNames

InChatwoot = Literal["delete", "anonymise", "keep"]
_GONE = httpx.codes.NOT_FOUND
# The widget holds a contact by its session, so an emptied one stays theirs until the browser forgets it.
_NOBODY: dict[str, Any] = {
    "name": "Erased", "email": None, "phone_number": None, "identifier": None, "avatar_url": None,
    "additional_attributes": {"city": None, "country": None, "company_name": None, "description": None,
                              "created_at_ip": None, "social_profiles": {}},
}  # fmt: skip


async def remove(
    process: Process, store: UUID, person: PersonNames, how: InChatwoot, *, by_names: bool
) -> dict[str, Any]:
    """What was done, counted. With `by_names` also contacts that only Chatwoot knows. Raises Retryable while it cannot.

    A contact that is online is refused by Chatwoot (422): later."""
    if how == "keep":
        return {"kept": len(person.contacts)}
    account = await account_of(process, store)
    if account is None:
        return {"no account": len(person.contacts)}
    contacts = _Contacts(account)
    known = {contact for owner, contact in person.contacts if owner in (0, account.account_id)}
    found = await contacts.bearing(person) if by_names else set()
    counts: Counter[str] = Counter()
    for contact in sorted(known | found):
        counts[await (contacts.delete(contact) if how == "delete" else contacts.empty(contact))] += 1
    return dict(counts) or {"contacts": 0}


@dataclass(frozen=True, slots=True)
class _Contacts:
    account: ChatwootAccount

    async def bearing(self, person: PersonNames) -> set[int]:
        """Whoever bears one of the person's own names."""
        names = [
            *(("email", one) for one in sorted(person.emails)),
            *(("phone_number", one) for one in sorted(person.phones)),
            *(("identifier", one) for one in sorted(person.customers)),
        ]  # fmt: skip
        found: set[int] = set()
        for key, value in names:
            wanted = {"attribute_key": key, "filter_operator": "equal_to", "values": [value], "query_operator": None}
            answer = await self._call("POST", "/filter", {"payload": [wanted]})
            found |= {one.id for one in _read(FoundContacts, answer).payload}
        return found

    async def delete(self, contact: int) -> str:
        answer = await self._call("DELETE", f"/{contact}")
        if answer.status_code == _GONE:
            return "already gone"
        if (await self._call("GET", f"/{contact}")).status_code != _GONE:
            raise Retryable("Chatwoot still shows a contact that it has deleted")
        return "deleted"

    async def empty(self, contact: int) -> str:
        answer = await self._call("GET", f"/{contact}")
        if answer.status_code == _GONE:
            return "already gone"
        attributes = list(_read(OneContact, answer).payload.custom_attributes)
        if attributes:
            await self._call("POST", f"/{contact}/destroy_custom_attributes", {"custom_attributes": attributes})
        await self._call("PUT", f"/{contact}", _NOBODY)
        left = _read(OneContact, await self._call("GET", f"/{contact}")).payload
        if left.email or left.phone_number or left.identifier or left.custom_attributes:
            raise Retryable("Chatwoot still shows names of a contact that was emptied")
        return "anonymised"

    async def _call(self, method: str, path: str, body: Any = None) -> ChatwootAnswer:
        """A success, or that there is no such contact. Raises Retryable."""
        answer = await self.account.call(method, self.account.path(f"contacts{path}"), body=body)
        if answer.is_success or (answer.status_code == _GONE and answer.is_json):
            return answer
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY and method == "DELETE":
            raise Retryable("Chatwoot deletes no contact that is online: it is tried again")
        raise Retryable(f"Chatwoot answers {answer.status_code}: see the store's token with `wootstream doctor`")


async def account_of(process: Process, store: UUID) -> ChatwootAccount | None:
    """The store's account; None where it has left Chatwoot. Raises Retryable where it was attached without a token."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        row = await stores.account(conn, store)
    if row is None:
        return None
    if row["api_access_token"] is None:
        raise Retryable("this store has no API token: `wootstream stores add` with one, and it goes on")
    try:
        token = unsealed_token(process.secrets, row["api_access_token"], store=store)
    except Sealed as cause:
        raise Retryable(str(cause)) from cause
    return ChatwootAccount(process.chatwoot, store, row["chatwoot_base_url"], row["chatwoot_account_id"], token)


def _read(model: Any, answer: ChatwootAnswer) -> Any:
    try:
        return json_text.read(model.model_validate_json, answer.content)
    except ValidationError as cause:
        raise Retryable("Chatwoot's answer is no contact") from cause
