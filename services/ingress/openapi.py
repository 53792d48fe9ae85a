"""The doors as OpenAPI, made from the models and the refusal table that they judge by: `wootstream openapi`."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from schemas.beacons import BeaconPost
from schemas.identity import Identity
from schemas.presets.shopify_privacy import PRIVACY_TOPICS
from schemas.shop import MOST_EVENTS, ShopEvent
from schemas.stores import SLUG, WEBSITE_TOKEN
from schemas.widget import PageConfig
from services.ingress.doors.identity import PATH as IDENTITY
from services.ingress.doors.refusals import RETRY_SECONDS, TABLE, Reason
from services.ingress.doors.webhooks import LONGEST_EVENT
from services.ingress.tokens import LONGEST_CUSTOMER, SESSION

_NOT_KEPT = (Reason.NO_ROOM, Reason.NEVER_TAKEN)
_NOBODY_KNOWS = (Reason.NOT_LOOKED_UP, Reason.NOT_OPENED)
_WITH_BODY = (
    Reason.NOT_JSON,
    Reason.TOO_DEEP,
    Reason.TOO_MANY,
    Reason.SLOW,
    Reason.TOO_LARGE,
    *_NOT_KEPT,
    Reason.WRONG_METHOD,
)
_WEBHOOK = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.OTHER_ACCOUNT, *_NOBODY_KNOWS)
_PAGE = (Reason.NO_EVENT, Reason.FOREIGN_ORIGIN, Reason.NO_SUCH_PATH, Reason.WRONG_METHOD)
_CONFIG = (*_PAGE, *_NOBODY_KNOWS, Reason.OVER_QUOTA)
_BEACONS = (
    *_WITH_BODY,
    *_NOBODY_KNOWS,
    Reason.BAD_TOKEN,
    Reason.FOREIGN_ORIGIN,
    Reason.WRONG_TYPE,
    Reason.OVER_QUOTA,
)
_EVENTS = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.WRONG_TYPE, *_NOBODY_KNOWS)
_SHOPIFY = (*_WITH_BODY, Reason.NO_EVENT, Reason.BAD_SIGNATURE, Reason.OTHER_ACCOUNT, *_NOBODY_KNOWS)
_IDENTITY = (Reason.NO_EVENT, Reason.BAD_SIGNATURE, Reason.NO_SUCH_PATH, Reason.WRONG_METHOD, *_NOBODY_KNOWS)
_ALL_DURABLE = {"description": "all of it is durable"}
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


def _given(where: str, name: str, text: str, **schema: Any) -> dict[str, Any]:
    required = where != "query"
    return {"name": name, "in": where, "required": required, "description": text, "schema": {"type": "string"} | schema}


PARAMETERS: dict[str, dict[str, Any]] = {
    "store": _given("path", "store", "the store's short name", pattern=SLUG),
    "unsigned_store": _given("path", "store", "of a store whose Chatwoot does not sign", pattern=SLUG),
    "path_token": _given("path", "path_token", "that store's secret", minLength=16),
    "website_token": _given("path", "website_token", "as Chatwoot's widget has it", pattern=WEBSITE_TOKEN),
    "origin": _given("header", "origin", "one of the store's domains; browsers send it themselves"),
    "page_origin": _given(
        "header", "origin", "the token's; or null, as browsers write it that withhold it from other sites"
    ),
    "chatwoot_timestamp": _given(
        "header", "x-chatwoot-timestamp", "Unix seconds, near the server's clock", pattern=_UNIX_SECONDS
    ),
    "webhook_id": _given(
        "header", "webhook-id", "the message's own; with the same body again it is answered as before", minLength=1
    ),
    "webhook_timestamp": _given(
        "header", "webhook-timestamp", "Unix seconds, near the server's clock", pattern=_UNIX_SECONDS
    ),
    "shopify_topic": _given("header", "x-shopify-topic", f"{', '.join(PRIVACY_TOPICS)} are kept", minLength=1),
    "session": _given("query", "session", "an earlier one; empty: a new one", pattern=f"^({SESSION.pattern})?$"),
    "customer": _given("query", "customer", "the shop's own id", minLength=1, maxLength=LONGEST_CUSTOMER)
    | {"required": True},
    "vouched": _given("query", "vouched", "whose page it is, if anybody's: schemas/vouching.py says how", **_VOUCHED)
    | {"style": "form", "explode": True},
}

PROOFS = {
    name: {"type": "apiKey", "in": "header", "name": header, "description": text}
    for name, header, text in (
        ("chatwoot", "x-chatwoot-signature", "`sha256=`, hex HMAC-SHA256 of timestamp, full stop and body"),
        ("shopify", "x-shopify-hmac-sha256", "base64 HMAC-SHA256 of the body by the app's client secret"),
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
    "ShopifyMessage": {
        "description": "what names a shop names the store's",
        "type": "object",
        "properties": {"shop_domain": {"type": "string"}},
    },
}


class RefusedEvent(BaseModel):
    """One event that was refused, by its place in the request."""

    index: int
    reason: str


class Verdicts(BaseModel):
    """How many events were taken, and why the others were not. `error` only where none was."""

    taken: int
    refused: list[RefusedEvent]
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
    responses: dict[str, Any] = {}
    for reason in sorted(reasons, key=lambda one: TABLE[one][0]):
        status = TABLE[reason][0]
        responses[str(status)] = answer(HTTPStatus(status).phrase.lower(), ref("Error")) | _headers(reason)
    return responses


def _headers(reason: Reason) -> dict[str, Any]:
    if reason in RETRY_SECONDS:
        return {"headers": {"retry-after": {"required": True, "schema": {"type": "integer"}}}}
    if reason is Reason.WRONG_METHOD:
        return {"headers": {"allow": {"required": True, "schema": {"type": "string"}}}}
    return {}


def description(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    unsigned = {"parameters": parameters("unsigned_store", "path_token"), "security": []}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wootstream's doors", "version": version},
        "paths": {
            "/webhooks/chatwoot/{store}": {"post": _webhook()},
            "/webhooks/chatwoot/{store}/{path_token}": {"post": _webhook() | unsigned},
            "/widget/{website_token}/config": {"get": _config()},
            "/beacons": {"post": _beacons()},
            "/events/{store}": {"post": _events()},
            "/shopify/{store}": {"post": _shopify()},
            IDENTITY: {"get": _identity()},
        },
        "components": {"schemas": _schemas(), "parameters": PARAMETERS, "securitySchemes": PROOFS},
    }


def _schemas() -> dict[str, Any]:
    _, models = models_json_schema(
        [(BeaconPost, "validation"), *((one, "serialization") for one in (PageConfig, Identity, Verdicts, Error))],
        ref_template=REF_TEMPLATE,
        by_alias=True,
    )
    shop = TypeAdapter(ShopEvent).json_schema(ref_template=REF_TEMPLATE)
    return {**models["$defs"], **shop.pop("$defs"), "ShopEvent": shop, **WEBHOOK_SCHEMAS}


def _webhook() -> dict[str, Any]:
    return {
        "summary": "What Chatwoot sends; releases before 4.11.2 do not sign, their URL ends in a secret",
        "security": [{"chatwoot": []}],
        "parameters": parameters("store", "chatwoot_timestamp"),
        "requestBody": body(**{"application/json": ref("Webhook")}),
        "responses": {"204": _ALL_DURABLE, **refusals(_WEBHOOK)},
    }


def _config() -> dict[str, Any]:
    return {
        "summary": "What a page of the store needs: its widget, the server's time, a token for its beacons",
        "parameters": parameters("website_token", "origin", "session", "vouched"),
        "responses": {"200": answer("the page's configuration", ref("PageConfig")), **refusals(_CONFIG)},
    }


def _beacons() -> dict[str, Any]:
    return {
        "summary": "What visitors' pages report; the token in the body says whose page it is",
        "parameters": parameters("page_origin"),
        "requestBody": body(**{"application/json": ref("BeaconPost"), "text/plain": ref("BeaconPost")}),
        "responses": _several(_BEACONS),
    }


def _events() -> dict[str, Any]:
    one = ref("ShopEvent")
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_EVENTS}
    return {
        "summary": "What a shop's back end says, signed as Standard Webhooks",
        "security": [{"standard_webhooks": []}],
        "parameters": parameters("store", "webhook_id", "webhook_timestamp"),
        "requestBody": body(
            **{
                "application/cloudevents+json": one,
                "application/cloudevents-batch+json": many,
                "application/json": {"oneOf": [one, many]},
            }
        ),
        "responses": _several(_EVENTS),
    }


def _shopify() -> dict[str, Any]:
    return {
        "summary": "Shopify's privacy topics, kept as they came; its other topics are answered 204 and not kept",
        "security": [{"shopify": []}],
        "parameters": parameters("store", "shopify_topic"),
        "requestBody": body(**{"application/json": ref("ShopifyMessage")}),
        "responses": {"204": _ALL_DURABLE, **refusals(_SHOPIFY)},
    }


def _identity() -> dict[str, Any]:
    return {
        "summary": "Who a customer is to Chatwoot's widget; signed as an event, over the query in place of a body",
        "security": [{"standard_webhooks": []}],
        "parameters": parameters("store", "customer", "webhook_id", "webhook_timestamp"),
        "responses": {"200": answer("what the page hands to setUser", ref("Identity")), **refusals(_IDENTITY)},
    }


def _several(reasons: Iterable[Reason]) -> dict[str, Any]:
    return {
        "200": answer("some of the events are durable, the others were refused", ref("Verdicts")),
        "204": _ALL_DURABLE,
        **refusals(reasons),
        "400": answer("nothing was taken", {"anyOf": [ref("Verdicts"), ref("Error")]}),
    }
