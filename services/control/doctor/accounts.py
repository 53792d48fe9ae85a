"""The Chatwoot servers, and of each store its account there: a few reading calls, in the pace of all others."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from schemas.bounds import Elements, Name
from schemas.chatwoot.conversations import Inbound
from schemas.chatwoot.rest import Conversations, Version
from schemas.values import json_text
from services.control.doctor.seen import AccountSeen, ServerSeen, StoreRow, WebhookSeen
from services.kernel import Chatwoot, Retryable
from services.kernel.clock import Clock
from services.kernel.errors import describe

T = TypeVar("T")
_NO_TOKEN = ""


class _Webhook(Inbound):
    url: str
    subscriptions: Elements[Name] = ()
    secret: str | None = None


class _Listed(Inbound):
    webhooks: tuple[_Webhook, ...]


class _Webhooks(Inbound):
    payload: _Listed


class _Definition(Inbound):
    attribute_key: Name


async def look_at_server(chatwoot: Chatwoot, clock: Clock, base_url: str, stores: int) -> ServerSeen:
    """Its release and its clock, which it tells everybody."""
    asked = clock.now()
    try:
        answer = await chatwoot.call(base_url, "GET", "/api", token=_NO_TOKEN)
    except Retryable as error:
        return ServerSeen(base_url, stores, None, describe(error), None)
    middle = asked + (clock.now() - asked) / 2
    return ServerSeen(base_url, stores, _release(answer.content), None, _ahead(middle, answer.date))


def _release(content: bytes) -> str | None:
    """None where a proxy keeps that to itself."""
    try:
        return json_text.read(Version.model_validate_json, content).version
    except ValidationError:
        return None


def _ahead(now: datetime, date: str) -> float | None:
    """The header knows whole seconds: what it says is half a second older than what it means, on average."""
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (now - there.replace(tzinfo=there.tzinfo or UTC)).total_seconds() - 0.5


async def look_at_account(chatwoot: Chatwoot, row: StoreRow) -> AccountSeen:
    """Webhooks, attribute definitions and the latest conversations. What is refused is told, what fails is raised."""
    if row.token is None:
        return AccountSeen()
    definitions = {"attribute_model": "contact_attribute"}
    latest = {"status": "all", "assignee_type": "all", "sort_by": "last_activity_at_desc", "page": 1}
    try:
        webhooks, defined, conversations = await asyncio.gather(
            _ask(chatwoot, row, "webhooks", _Webhooks),
            _ask(chatwoot, row, "custom_attribute_definitions", list[_Definition], definitions),
            _ask(chatwoot, row, "conversations", Conversations, latest),
        )
    except _Refused as refused:
        return AccountSeen(refused=str(refused))
    talks = conversations.data.payload
    active = [talk.last_activity_at or talk.created_at for talk in talks]
    return AccountSeen(
        webhooks=[WebhookSeen(one.url, frozenset(one.subscriptions), one.secret) for one in webhooks.payload.webhooks],
        definitions=frozenset(one.attribute_key for one in defined),
        conversations=len(talks),
        last_activity_at=datetime.fromtimestamp(max(active), UTC) if active else None,
    )


class _Refused(Exception):
    """Chatwoot lets this token not in, or knows no such account."""


async def _ask(
    chatwoot: Chatwoot, row: StoreRow, path: str, form: type[T], query: Mapping[str, Any] | None = None
) -> T:
    assert row.token is not None
    where = f"/api/v1/accounts/{row.account_id}/{path}"
    answer = await chatwoot.call(row.base_url, "GET", where, token=row.token, query=query)
    if not answer.is_success:
        name = httpx.codes.get_reason_phrase(answer.status_code)
        raise _Refused(f"Chatwoot answers {answer.status_code} {name} to {path}".replace("  ", " "))
    try:
        return json_text.read(TypeAdapter(form).validate_json, answer.content)
    except ValidationError as cause:
        raise Retryable(f"Chatwoot answers something unexpected to {path}: {describe(cause)}") from cause
