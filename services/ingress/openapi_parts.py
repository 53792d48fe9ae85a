"""What the doors' OpenAPI is put together from: parameters, proofs, bodies, answers."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from schemas.stores import SLUG, WEBSITE_TOKEN
from services.ingress.doors.refusals import RETRY_SECONDS, TABLE, Reason
from services.ingress.doors.webhooks import LONGEST_EVENT
from services.ingress.tokens import LONGEST_CUSTOMER, SESSION

REF_TEMPLATE = "#/components/schemas/{model}"
_UNIX_SECONDS = "^[0-9]{1,12}$"
_VOUCHED = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("customer", "expires", "proof")},
    "if": {"properties": {"customer": {"minLength": 1}}, "required": ["customer"]},
    "then": {
        "properties": {
            "customer": {"maxLength": LONGEST_CUSTOMER},
            "expires": {"pattern": "^[0-9]+$"},
            "proof": {"pattern": "^[0-9a-f]{64}$"},
        },
        "required": ["expires", "proof"],
    },
}


def ref(model: str) -> dict[str, Any]:
    return {"$ref": REF_TEMPLATE.format(model=model)}


def _given(where: str, name: str, told: str, **schema: Any) -> dict[str, Any]:
    required = where != "query"
    return {"name": name, "in": where, "required": required, "description": told, "schema": {"type": "string"} | schema}


PARAMETERS: dict[str, dict[str, Any]] = {
    "store": _given("path", "store", "the store's short name", pattern=SLUG),
    "unsigned_store": _given("path", "store", "of a store whose Chatwoot does not sign", pattern=SLUG),
    "path_token": _given("path", "path_token", "that store's secret", minLength=16),
    "website_token": _given("path", "website_token", "as Chatwoot's widget has it", pattern=WEBSITE_TOKEN),
    "origin": _given("header", "origin", "one of the store's domains; browsers send it themselves"),
    "chatwoot_timestamp": _given(
        "header", "x-chatwoot-timestamp", "Unix seconds, near the server's clock", pattern=_UNIX_SECONDS
    ),
    "webhook_id": _given(
        "header", "webhook-id", "the message's own; with the same body again it is answered as before", minLength=1
    ),
    "webhook_timestamp": _given(
        "header", "webhook-timestamp", "Unix seconds, near the server's clock", pattern=_UNIX_SECONDS
    ),
    "session": _given("query", "session", "an earlier one; empty: a new one", pattern=f"^({SESSION.pattern})?$"),
    "vouched": _given("query", "vouched", "whose page it is, if anybody's: schemas/vouching.py says how", **_VOUCHED)
    | {"style": "form", "explode": True},
}

PROOFS = {
    name: {"type": "apiKey", "in": "header", "name": header, "description": told}
    for name, header, told in (
        ("chatwoot", "x-chatwoot-signature", "`sha256=`, hex HMAC-SHA256 of timestamp, full stop and body"),
        ("standard_webhooks", "webhook-signature", "`v1,`, base64 HMAC-SHA256 of id, timestamp and body"),
    )
}

# Whatever else a webhook says is for those who read the topic.
WEBHOOK_SCHEMAS: dict[str, dict[str, Any]] = {
    "Webhook": {
        "type": "object",
        "required": ["event"],
        "properties": {
            "event": {"type": "string", "minLength": 1, "maxLength": LONGEST_EVENT, "pattern": "^[ -~]*$"},
            "conversation": ref("OfAccount"),
        },
        "allOf": [ref("OfAccount")],
    },
    "OfAccount": {
        "description": "what names an account names the store's",
        "properties": {
            "account": ref("Account"),
            "messages": {"prefixItems": [{"properties": {"account_id": ref("AccountId")}}]},
        },
    },
    "Account": {
        "anyOf": [
            {"type": "null"},
            ref("AccountId"),
            {"type": "object", "required": ["id"], "properties": {"id": ref("AccountId")}},
        ]
    },
    "AccountId": {"type": "integer"},
}


class Verdict(BaseModel):
    """One event that was refused, by its place in the request."""

    index: int
    reason: str


class Verdicts(BaseModel):
    """How many events were taken, and why the others were not. `error` only where none was."""

    taken: int
    refused: list[Verdict]
    error: str | None = None


class Error(BaseModel):
    """Why the whole request was refused."""

    error: str


def parameters(*names: str) -> list[dict[str, Any]]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def body(**kinds: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


def answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def refusals(reasons: Iterable[Reason]) -> dict[str, Any]:
    """By status, with the headers that go with it."""
    told: dict[str, Any] = {}
    for reason in sorted(reasons, key=lambda one: TABLE[one][0]):
        status = TABLE[reason][0]
        told[str(status)] = answer(HTTPStatus(status).phrase.lower(), ref("Error")) | _headers(reason)
    return told


def _headers(reason: Reason) -> dict[str, Any]:
    if reason in RETRY_SECONDS:
        return {"headers": {"retry-after": {"required": True, "schema": {"type": "integer"}}}}
    if reason is Reason.WRONG_METHOD:
        return {"headers": {"allow": {"required": True, "schema": {"type": "string"}}}}
    return {}
