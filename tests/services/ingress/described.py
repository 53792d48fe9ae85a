"""The doors' OpenAPI as schemathesis needs it: with one installation's names, at one moment, and with who signs."""

import base64
import copy
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.schemas import BaseSchema

from local.replay.webhook_sender import sign
from schemas.vouching import SECRET_PREFIX
from services.ingress.openapi import description
from tests.services.ingress.bench import SHOPIFY_DOMAIN, Shop

WEBHOOKS, EVENTS, IDENTITY = "/webhooks/chatwoot/{store}", "/events/{store}", "/api/stores/{store}/identity"
SHOPIFY = "/shopify/{store}"
_LOW_DIGITS = 6  # of a UUIDv7's milliseconds in hex: 4.7 hours


@dataclass(frozen=True)
class Sender:
    """What one who sends to the installation has: names, secrets and tokens, the right ones or not."""

    shop: Shop
    unsigned_store: str
    path_token: str
    origin: str
    beacon_token: str
    vouched: dict[str, str]


def described(at: str, sender: Sender, *, media_types: slice, **config: Any) -> BaseSchema:
    """The document for this sender, who signs whatever is generated; of each body so many of its media types."""
    document = _narrowed(sender, datetime.now(UTC))
    for operations in document["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {"content": {}})["content"]
            for name in set(content) - set([*content][media_types]):
                del content[name]
    schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict({"base-url": at} | config))
    chatwoot = _Signer("x-chatwoot-signature", ("x-chatwoot-timestamp",), partial(sign, sender.shop.secret))
    standard = partial(_standard, sender.shop.event_secret)
    backend = _Signer("webhook-signature", ("webhook-id", "webhook-timestamp"), standard)
    shopify = _Signer("x-shopify-hmac-sha256", (), partial(_shopify, sender.shop.shopify_secret))
    schema.auth.set_from_requests(chatwoot).apply_to(path=WEBHOOKS)
    schema.auth.set_from_requests(shopify).apply_to(path=SHOPIFY)
    schema.auth.set_from_requests(backend).apply_to(path=[EVENTS, IDENTITY])
    return schema


def _narrowed(sender: Sender, now: datetime) -> dict[str, Any]:
    """A document for all installations cannot say which names there are, and which moments are near: this one does."""
    document = copy.deepcopy(description("test"))
    given, bodies = document["components"]["parameters"], document["components"]["schemas"]
    names = {
        "store": sender.shop.slug,
        "unsigned_store": sender.unsigned_store,
        "path_token": sender.path_token,
        "website_token": sender.shop.website_token,
        "origin": sender.origin,
    }
    for name, value in names.items():
        given[name]["schema"] = _only(value)
    given["page_origin"]["schema"] = _only(sender.origin, "null")
    given["vouched"]["schema"]["then"]["properties"] = {name: _only(value) for name, value in sender.vouched.items()}
    for name in ("chatwoot_timestamp", "webhook_timestamp"):
        given[name]["schema"]["pattern"] = f"^{int(now.timestamp()) // 100}[0-9]{{2}}$"
    bodies["AccountId"] = {"const": sender.shop.account_id}
    bodies["ShopifyMessage"]["properties"]["shop_domain"] = _only(SHOPIFY_DOMAIN)
    bodies["BeaconPost"]["properties"]["token"] = _only(sender.beacon_token)
    bodies["Beacon"]["properties"]["id"]["pattern"] = _some_hours_ago(now)
    moments = (
        bodies["CustomerEvent"]["properties"]["time"],
        bodies["ConsentEvent"]["properties"]["time"],
        bodies["OrderEvent"]["properties"]["time"],
        bodies["CustomerData"]["properties"]["registered_at"]["anyOf"][0],
    )
    for moment in moments:
        moment["pattern"] = f"^{now.year - 1}-[01]2-0[1-9]T1[0-9]:[0-5][0-9]:[0-5][0-9](Z|[+]0[0-9]:30)$"
    return document


def _only(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _some_hours_ago(now: datetime) -> str:
    """The UUIDv7s of the whole 4.7 hours before those that run."""
    high = f"{(int(now.timestamp() * 1000) >> 4 * _LOW_DIGITS) - 1:06x}"
    return f"^{high}[0-9a-f]{{2}}-[0-9a-f]{{4}}-7[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}$"


class _Signer(AuthBase):
    """Puts a right signature in place of a generated one, where all that belongs to what is signed is there."""

    def __init__(self, header: str, signed: tuple[str, ...], signature: Callable[..., str]) -> None:
        self._header = header
        self._signed = signed
        self._signature = signature

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        if request.method == "GET":  # the query stands where a body would
            body = urlsplit(request.url or "").query.encode()
        given = [request.headers.get(name) for name in self._signed]
        if self._header in request.headers and None not in given:
            request.headers[self._header] = self._signature(*given, body)
        return request


def _shopify(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def _standard(secret: str, name: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, f"{name}.{timestamp}.".encode() + body, "sha256")).decode()
