"""A store's Chatwoot account, read through its API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import TypeAdapter, ValidationError

from db import stores
from db.pool import Connection
from schemas import json_text
from schemas.chatwoot.rest import Version
from services.kernel import Chatwoot, Process, Sealed

T = TypeVar("T")
_MOST_BYTES = 16 * 1024 * 1024  # of an answer: a page of long messages; one store is asked at a time


class Untold(Exception):
    """Chatwoot does not tell, and asking again does not help: one sentence for people."""


class Gone(Untold):
    """There is no such thing, or no longer."""


@dataclass(frozen=True, slots=True)
class Account:
    """Reads only; paced by the kernel's client."""

    chatwoot: Chatwoot
    store: UUID
    base_url: str
    account_id: int
    token: str
    attached_at: datetime

    async def release(self) -> str | None:
        """Which release answers; None where a proxy keeps that to itself. Raises Retryable."""
        try:
            return (await self._ask("/api", Version)).version
        except Untold:
            return None

    async def get(self, path: str, form: type[T], *, version: str = "v1", query: Any = None) -> T:
        """What the account answers, as `form`. Raises Untold, and Retryable when Chatwoot is away or busy."""
        return await self._ask(f"/api/{version}/accounts/{self.account_id}/{path}", form, query)

    async def _ask(self, where: str, form: type[T], query: Any = None) -> T:
        answer = await self.chatwoot.call(
            self.base_url, "GET", where, token=self.token, query=query, most_bytes=_MOST_BYTES
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Gone(f"Chatwoot has no {where}")
        if not answer.is_success:
            raise Untold(f"Chatwoot answers {answer.status_code} to {where}")
        try:
            return json_text.read(TypeAdapter(form).validate_json, answer.content)
        except ValidationError as cause:
            raise Untold(f"Chatwoot answers something unexpected to {where}: a proxy in between?") from cause


async def account_of(conn: Connection, process: Process, store: UUID) -> Account:
    """The account of a store in scope. Raises Untold where there is no token, or none that can be opened."""
    row = await stores.account(conn, store)
    if row is None or row["api_access_token"] is None:
        raise Untold("this store was attached without an API token")
    try:
        token = process.secrets.open(row["api_access_token"], organization=store, column="api_access_token")
    except Sealed as cause:
        raise Untold(str(cause)) from cause
    return Account(
        process.chatwoot, store, row["chatwoot_base_url"], row["chatwoot_account_id"], token, row["created_at"]
    )
