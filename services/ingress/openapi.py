"""The doors as OpenAPI, made from the models and the refusal table that they judge by: `wootstream openapi`."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from schemas.beacons import BeaconPost
from schemas.shop import MOST_EVENTS, ShopEvent
from schemas.widget import PageConfig
from services.ingress.refusals import TABLE, Reason
from services.ingress.tokens import SESSION

_REF = "#/components/schemas/{model}"
_ANYWHERE = (Reason.WRONG_METHOD, Reason.NO_SUCH_PATH)
_WITH_BODY = (Reason.NOT_JSON, Reason.SLOW, Reason.TOO_LARGE, Reason.NO_ROOM, *_ANYWHERE)
_WEBHOOK = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.OTHER_ACCOUNT)
_CONFIG = (Reason.NO_EVENT, Reason.FOREIGN_ORIGIN, *_ANYWHERE)
_BEACONS = (*_WITH_BODY, Reason.BAD_TOKEN, Reason.FOREIGN_ORIGIN, Reason.WRONG_TYPE, Reason.OVER_QUOTA)
_EVENTS = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.WRONG_TYPE)


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


def description(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, models = models_json_schema(
        [(one, "serialization") for one in (BeaconPost, PageConfig, Verdicts, Error)], ref_template=_REF, by_alias=True
    )
    shop = TypeAdapter(ShopEvent).json_schema(ref_template=_REF)
    schemas = {**models["$defs"], **shop.pop("$defs"), "ShopEvent": shop}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wootstream's doors", "version": version},
        "paths": {
            "/webhooks/chatwoot/{store}": {"post": _webhook(_path("store"))},
            "/webhooks/chatwoot/{store}/{path_token}": {"post": _webhook(_path("store"), _path("path_token"))},
            "/widget/{website_token}/config": {"get": _config()},
            "/beacons": {"post": _beacons()},
            "/events/{store}": {"post": _events()},
        },
        "components": {"schemas": schemas},
    }


def _webhook(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": "What Chatwoot sends; releases before 4.11.2 do not sign, their URL ends in a secret",
        "parameters": [*parameters, _header("x-chatwoot-timestamp"), _header("x-chatwoot-signature")],
        "requestBody": _body({"application/json": {"type": "object"}}),
        "responses": {"204": {"description": "durable"}, **_refusals(_WEBHOOK)},
    }


def _config() -> dict[str, Any]:
    session = {"type": "string", "pattern": f"^{SESSION.pattern}$"}
    text = {"type": "string"}
    return {
        "summary": "What a page of the store needs: its widget, the server's time, a token for its beacons",
        "parameters": [
            _path("website_token"),
            _header("origin"),
            {"name": "session", "in": "query", "schema": session, "description": "an earlier one, to go on with it"},
            *({"name": name, "in": "query", "schema": text} for name in ("customer", "expires", "proof")),
        ],
        "responses": {"200": _json("the page's configuration", "PageConfig"), **_refusals(_CONFIG)},
    }


def _beacons() -> dict[str, Any]:
    post = {"$ref": _REF.format(model="BeaconPost")}
    return {
        "summary": "What visitors' pages report",
        "parameters": [_header("origin")],
        "requestBody": _body({"application/json": post, "text/plain": post}),
        "responses": _several(_BEACONS),
    }


def _events() -> dict[str, Any]:
    one = {"$ref": _REF.format(model="ShopEvent")}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_EVENTS}
    return {
        "summary": "What a shop's back end says, signed as Standard Webhooks",
        "parameters": [
            _path("store"),
            *(_header(f"webhook-{name}") for name in ("id", "timestamp", "signature")),
        ],
        "requestBody": _body({"application/cloudevents+json": one, "application/cloudevents-batch+json": many}),
        "responses": _several(_EVENTS),
    }


def _several(reasons: Iterable[Reason]) -> dict[str, Any]:
    return {
        "200": _json("some were taken", "Verdicts"),
        "204": {"description": "all are durable"},
        **_refusals(reasons),
        "400": {
            "description": "nothing was taken",
            "content": {
                "application/json": {
                    "schema": {"anyOf": [{"$ref": _REF.format(model=m)} for m in ("Verdicts", "Error")]}
                }
            },
        },
    }


def _refusals(reasons: Iterable[Reason]) -> dict[str, Any]:
    statuses = sorted({TABLE[reason][0] for reason in reasons})
    return {str(status): _json(HTTPStatus(status).phrase.lower(), "Error") for status in statuses}


def _json(text: str, model: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": _REF.format(model=model)}}}}


def _body(kinds: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}}
