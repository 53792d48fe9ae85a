"""The doors as OpenAPI, made from the models and the refusal table that they judge by: `wootstream openapi`."""

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from schemas.beacons import BeaconPost
from schemas.shop import MOST_EVENTS, ShopEvent
from schemas.widget import PageConfig
from services.ingress.doors.refusals import Reason
from services.ingress.openapi_parts import (
    PARAMETERS,
    PROOFS,
    REF_TEMPLATE,
    WEBHOOK_SCHEMAS,
    Error,
    Verdicts,
    answer,
    body,
    parameters,
    ref,
    refusals,
)

_NOT_KEPT = (Reason.NO_ROOM, Reason.NEVER_TAKEN)
_WITH_BODY = (Reason.NOT_JSON, Reason.TOO_DEEP, Reason.SLOW, Reason.TOO_LARGE, *_NOT_KEPT, Reason.WRONG_METHOD)
_WEBHOOK = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.OTHER_ACCOUNT, Reason.NOT_LOOKED_UP)
_PAGE = (Reason.NO_EVENT, Reason.FOREIGN_ORIGIN, Reason.NO_SUCH_PATH, Reason.WRONG_METHOD)
_CONFIG = (*_PAGE, Reason.NOT_LOOKED_UP, Reason.OVER_QUOTA)
_BEACONS = (*_WITH_BODY, Reason.BAD_TOKEN, Reason.FOREIGN_ORIGIN, Reason.WRONG_TYPE, Reason.OVER_QUOTA)
_EVENTS = (*_WITH_BODY, Reason.BAD_SIGNATURE, Reason.WRONG_TYPE, Reason.NOT_LOOKED_UP)
_ALL_DURABLE = {"description": "all of it is durable"}


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
        },
        "components": {"schemas": _schemas(), "parameters": PARAMETERS, "securitySchemes": PROOFS},
    }


def _schemas() -> dict[str, Any]:
    _, models = models_json_schema(
        [(BeaconPost, "validation"), *((one, "serialization") for one in (PageConfig, Verdicts, Error))],
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
        "parameters": parameters("origin"),
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


def _several(reasons: Iterable[Reason]) -> dict[str, Any]:
    return {
        "200": answer("some of the events are durable, the others were refused", ref("Verdicts")),
        "204": _ALL_DURABLE,
        **refusals(reasons),
        "400": answer("nothing was taken", {"anyOf": [ref("Verdicts"), ref("Error")]}),
    }
