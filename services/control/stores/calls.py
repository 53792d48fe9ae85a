"""Calls that set a store up: with a platform app's token, or with that of an administrator."""

from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from schemas.chatwoot.setup import SetupRefused
from schemas.values import json_text
from services.kernel import Chatwoot, Refusal, Retryable
from services.kernel.chatwoot.chatwoot_client import ChatwootAnswer

T = TypeVar("T")
_MOST_BYTES = 16 * 1024 * 1024  # a list of all accounts of a large installation
PLATFORM = "/platform/api/v1"


class RefusedCall(Refusal):
    """Chatwoot says no; the same again gets the same answer."""

    def __init__(self, what: str, status: int, reason: str) -> None:
        super().__init__(f"Chatwoot answers {status} to {what}" + (f": {reason}" if reason else ""))
        self.status = status


@dataclass(frozen=True, slots=True)
class Api:
    """One server, one token. Raises Retryable, and RefusedCall with Chatwoot's own reason."""

    chatwoot: Chatwoot
    base_url: str
    token: SecretStr

    async def ask(self, form: Any, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        """What it answers, as `form`."""
        answer = await self._call(method, path, body, query)
        try:
            return json_text.read(TypeAdapter(form).validate_json, answer.content)
        except ValidationError as cause:
            raise Retryable(f"Chatwoot answers something unexpected to {method} {path}: a proxy in between?") from cause

    async def find(self, form: Any, path: str) -> Any:
        """The same of what may not be there, or be somebody else's: None."""
        try:
            return await self.ask(form, "GET", path)
        except RefusedCall as refused:
            if refused.status in (httpx.codes.NOT_FOUND, httpx.codes.UNAUTHORIZED):
                return None
            raise

    async def do(self, method: str, path: str, body: Any = None) -> None:
        await self._call(method, path, body, None)

    async def _call(self, method: str, path: str, body: Any, query: Any) -> ChatwootAnswer:
        answer = await self.chatwoot.call(
            self.base_url, method, path, token=self.token.get_secret_value(), body=body, query=query,
            most_bytes=_MOST_BYTES,
        )  # fmt: skip
        if not answer.is_success:
            raise RefusedCall(f"{method} {path}", answer.status_code, _reason(answer))
        return answer


def _reason(answer: ChatwootAnswer) -> str:
    try:
        refused = json_text.read(SetupRefused.model_validate_json, answer.content)
    except ValidationError:
        return ""
    return refused.error or ", ".join(refused.attributes or ())
