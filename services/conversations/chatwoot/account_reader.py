"""A store's Chatwoot account, read through its API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import TypeAdapter, ValidationError

from db import stores
from db.pool import Connection
from schemas.chatwoot.rest import Version
from schemas.values import json_text
from services.kernel import Process, Sealed
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, Gone, Unanswered, unsealed_token

T = TypeVar("T")
_MOST_BYTES = 16 * 1024 * 1024  # of an answer: a page of long messages; one store is asked at a time


@dataclass(frozen=True, slots=True)
class AccountReader:
    """Reads only; paced by the kernel's client."""

    account: ChatwootAccount
    attached_at: datetime

    @property
    def store(self) -> UUID:
        return self.account.store

    async def release(self) -> str | None:
        """Which release answers; None where a proxy keeps that to itself. Raises Retryable."""
        try:
            return (await self._ask("/api", Version)).version
        except Unanswered:  # not a fault: what the operator named then holds on
            return None

    async def get(self, path: str, form: type[T], *, version: str = "v1", query: Any = None) -> T:
        """What the account answers, as `form`. Raises Unanswered, and Retryable when Chatwoot is away or busy."""
        return await self._ask(self.account.path(path, version=version), form, query)

    async def _ask(self, where: str, form: type[T], query: Any = None) -> T:
        answer = await self.account.call("GET", where, query=query, most_bytes=_MOST_BYTES)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Gone(f"Chatwoot has no {where}")
        if not answer.is_success:
            raise Unanswered(f"Chatwoot answers {answer.status_code} to {where}")
        try:
            return json_text.read(TypeAdapter(form).validate_json, answer.content)
        except ValidationError as cause:
            raise Unanswered(f"Chatwoot answers something unexpected to {where}: a proxy in between?") from cause


async def reader_of(conn: Connection, process: Process, store: UUID) -> AccountReader:
    """What reads the account of a store in scope. Raises Unanswered where no token is, or none that can be opened."""
    row = await stores.account(conn, store)
    if row is None or row["api_access_token"] is None:
        raise Unanswered("this store was attached without an API token")
    try:
        token = unsealed_token(process.secrets, row["api_access_token"], store=store)
    except Sealed as cause:
        raise Unanswered(str(cause)) from cause
    account = ChatwootAccount(process.chatwoot, store, row["chatwoot_base_url"], row["chatwoot_account_id"], token)
    return AccountReader(account, row["created_at"])
