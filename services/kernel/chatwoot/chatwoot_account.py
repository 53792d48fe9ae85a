"""One store's account at its Chatwoot: where it is and the token that opens it, for whichever service calls."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.kernel.chatwoot.chatwoot_client import MOST_BYTES, Chatwoot, ChatwootAnswer
from services.kernel.secrets import Secrets


class Unanswered(Exception):
    """Chatwoot does not tell, and asking again does not help: one sentence for people."""


class Gone(Unanswered):
    """There is no such thing, or no longer: deleted, or merged into another."""


@dataclass(frozen=True, slots=True)
class ChatwootAccount:
    """A store's account with its token unsealed: made for a piece of work, and not kept beyond it."""

    chatwoot: Chatwoot
    store: UUID
    base_url: str
    account_id: int
    token: str = field(repr=False)
    check: Callable[[], None] = lambda: None  # before each call: raises where it must not be made any more

    def path(self, rest: str, *, version: str = "v1") -> str:
        """Where Chatwoot has this account's things."""
        return f"/api/{version}/accounts/{self.account_id}/{rest}"

    async def call(
        self, method: str, path: str, *, body: Any = None, query: Any = None, most_bytes: int = MOST_BYTES
    ) -> ChatwootAnswer:
        """Its answer, whatever the status below 500. Raises Retryable when Chatwoot is away or busy."""
        return await self.chatwoot.call(
            self.base_url,
            method,
            path,
            token=self.token,
            body=body,
            query=query,
            most_bytes=most_bytes,
            check=self.check,
        )


def unsealed_token(secrets: Secrets, sealed: str, *, store: UUID) -> str:
    """The account's API token. Raises Sealed where another installation key sealed it."""
    return secrets.open(sealed, organization=store, column="api_access_token")
