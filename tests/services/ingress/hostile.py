"""Requests as nobody should send them: recorded webhooks, beacons and events, mutated in bytes, heads and lengths."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from local.demo.visitors import event_id
from tests.services.ingress.bench import ORIGIN, Shop, signed
from tests.services.ingress.wire import request

_NOISE = b'\x00\xff\xed\xa0\x80"\\{}[]:,e9-\r\n'
_KINDS = ("application/json", "text/plain", "application/cloudevents+json", "", "\x7f")


@dataclass(frozen=True, slots=True)
class Asked:
    """`proved` is the body, where the store's secret or a token of ours vouches for it; only that may be kept."""

    raw: bytes
    proved: bytes | None = None
    last: bool = False  # no request: the sender hangs up after it


class Hostile:
    """Makes requests by chance; the same seed makes the same."""

    def __init__(self, seed: int, shop: Shop, bodies: Sequence[bytes], token: str) -> None:
        self._chance = random.Random(seed)
        self._shop = shop
        self._bodies = bodies
        self._token = token
        # The last three cost a connection each, so they come less often.
        self._ways: dict[Callable[[], Asked], int] = {
            self._changed_before_signing: 3,
            self._changed_after_signing: 3,
            self._with_a_wrong_head: 3,
            self._beacons: 3,
            self._shop_event: 3,
            self._elsewhere: 3,
            self._with_many_headers: 1,
            self._with_a_wrong_length: 1,
            self._garbage: 1,
        }

    def ask(self) -> Asked:
        return self._chance.choices(list(self._ways), list(self._ways.values()))[0]()

    def _changed_before_signing(self) -> Asked:
        body = self._mutated(self._body())
        return Asked(request(self._shop.door, signed(self._shop, body, at=datetime.now(UTC)), body), body)

    def _changed_after_signing(self) -> Asked:
        body = self._body()
        headers = signed(self._shop, body, at=datetime.now(UTC))
        return Asked(request(self._shop.door, headers, self._other_than(body)))

    def _with_a_wrong_head(self) -> Asked:
        body = self._body()
        headers = signed(self._shop, body, at=datetime.now(UTC))
        name = self._chance.choice(["x-chatwoot-timestamp", "x-chatwoot-signature"])
        headers[name] = (
            self._other_than(headers[name].encode()).translate(None, b"\r\n").decode("utf-8", "surrogateescape")
        )
        return Asked(request(self._shop.door, headers, body))

    def _with_a_wrong_length(self) -> Asked:
        """Too long: the rest never comes. Too short: the rest is taken for another request."""
        body = self._body()
        headers = signed(self._shop, body, at=datetime.now(UTC))
        said = self._chance.choice([len(body) + 1, max(1, len(body) - 1), len(body) // 2 or 1, 2**40, -1])
        head, _, _ = request(self._shop.door, headers, body).partition(b"\r\n\r\n")
        return Asked(head.replace(b"content-length: %d" % len(body), b"content-length: %d" % said) + b"\r\n\r\n" + body)

    def _with_many_headers(self) -> Asked:
        flood = {f"x-{number}": "a" * self._chance.randrange(800) for number in range(self._chance.randrange(300))}
        return Asked(request(self._shop.door, flood, b"{}"))

    def _beacons(self) -> Asked:
        event = {
            "id": event_id(datetime.now(UTC)),
            "event_type": "page_viewed",
            "page_url": "https://shop.example/?a#b",
        }
        token = self._token if self._chance.random() < 0.5 else self._mutated(self._token.encode()).decode("latin-1")
        post = {"token": token, "consent": ["analytics"], "events": [event] * self._chance.randrange(120)}
        body = orjson.dumps(post)
        body = self._mutated(body) if self._chance.random() < 0.7 else body
        return Asked(
            request("/beacons", self._kind() | {"origin": ORIGIN}, body), b"" if self._token.encode() in body else None
        )

    def _shop_event(self) -> Asked:
        headers = {name: self._text() for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
        return Asked(
            request(f"/events/{self._shop.slug}", self._kind() | headers, self._mutated(b'{"type":"order.paid"}'))
        )

    def _elsewhere(self) -> Asked:
        paths = ["/webhooks/chatwoot/", "/widget/", "/widget/x/config?a=%ff&session=%00", "/events/", "/beacons/../x"]
        return Asked(request(self._chance.choice(paths) + self._path(), {"origin": self._text()}, self._body()[:100]))

    def _garbage(self) -> Asked:
        return Asked(self._chance.randbytes(self._chance.randrange(1, 300)) + b"\r\n\r\n", last=True)

    def _body(self) -> bytes:
        return self._chance.choice(self._bodies)

    def _kind(self) -> dict[str, str]:
        return {"content-type": self._chance.choice(_KINDS)}

    def _text(self) -> str:
        letters = "abcv1,= .\u00ff%2F\t" + str(int(datetime.now(UTC).timestamp()))
        return "".join(self._chance.choices(letters, k=self._chance.randrange(40)))

    def _path(self) -> str:
        return "".join(self._chance.choices("abc/%2F..%00~", k=self._chance.randrange(12)))

    def _other_than(self, body: bytes) -> bytes:
        while (other := self._mutated(body)) == body:
            pass
        return other

    def _mutated(self, body: bytes) -> bytes:
        """Cut off, spliced, or with a few bytes turned."""
        way, at = self._chance.randrange(3), self._chance.randrange(len(body))
        if way == 0:
            return body[:at] or b"{"
        if way == 1:
            return body[:at] + body[self._chance.randrange(len(body)) :] or b"{"
        turned = bytearray(body)
        for _ in range(self._chance.randrange(1, 5)):
            turned[self._chance.randrange(len(turned))] = self._chance.choice(_NOISE)
        return bytes(turned)
