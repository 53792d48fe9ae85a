"""Requests as nobody should send them: recorded webhooks, beacons and events, mutated in bytes, heads and lengths,
nested, swollen, chunked, to be upgraded, forwarded, and sent a few bytes at a time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson
from standardwebhooks import Webhook

from local.demo.visitors import event_id
from tests.services.ingress.bench import ORIGIN, Shop, signed
from tests.services.ingress.wire import request

_NOISE = b'\x00\xff\xed\xa0\x80"\\{}[]:,e9-\r\n'
_DEEPEST, _LONGEST = 3_000, 20_000
_SLOW = 1_000  # bytes that are worth so many pauses
_LARGEST = 4 * 2**20  # what the webhook door takes
_H2C = {
    "connection": "Upgrade, HTTP2-Settings",
    "upgrade": "h2c",
    "http2-settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
}
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "cf-connecting-ip")
_ADDRESSES = (
    "1.2.3.4",
    "1.2.3.4:567",
    "[2001:db8::1]:443",
    "2001:db8::1",
    "unknown",
    "_x",
    "::ffff:1.2.3.4",
    "999.9.9.9",
    "\t",
)
_KINDS = ("application/json", "text/plain", "application/cloudevents+json", "", "\x7f")


@dataclass(frozen=True, slots=True)
class Asked:
    """`proved` is the body, where the store's secret or a token of ours vouches for it; only that may be kept."""

    raw: bytes
    proved: bytes | None = None
    last: bool = False  # no request: the sender hangs up after it
    pause_every: int = 0  # bytes; 0: all at once


class Hostile:
    """Makes requests by chance; the same seed makes the same."""

    def __init__(self, seed: int, shop: Shop, bodies: Sequence[bytes], token: str) -> None:
        self._chance = random.Random(seed)
        self._shop = shop
        self._bodies = bodies
        self._token = token
        # Those that come less often cost a connection each, or more than others.
        self._ways: dict[Callable[[], Asked], float] = {
            self._changed_before_signing: 3,
            self._changed_after_signing: 3,
            self._with_a_wrong_head: 3,
            self._beacons: 3,
            self._shop_event: 3,
            self._shop_event_signed: 3,
            self._forwarded: 3,
            self._in_chunks: 2,
            self._upgrade: 1,
            self._deep: 2,
            self._swollen: 1,
            self._as_large_as_it_may: 0.01,
            self._slowly: 0.1,
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
        length = self._chance.choice([len(body) + 1, max(1, len(body) - 1), len(body) // 2 or 1, 2**40, -1])
        head, _, _ = request(self._shop.door, headers, body).partition(b"\r\n\r\n")
        return Asked(
            head.replace(b"content-length: %d" % len(body), b"content-length: %d" % length) + b"\r\n\r\n" + body
        )

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

    def _shop_event_signed(self) -> Asked:
        """One or a batch, mutated before the shop signs."""
        events = [self._event(f"c{number}") for number in range(self._chance.choice((1, 1, 3, 40)))]
        body = orjson.dumps(events if len(events) > 1 else events[0])
        return self._signed_by_the_shop(self._mutated(body) if self._chance.random() < 0.8 else body)

    def _signed_by_the_shop(self, body: bytes) -> Asked:
        """The library signs text alone; bytes that are none are signed by nobody."""
        name, at = f"msg_{self._chance.getrandbits(64):x}", datetime.now(UTC)
        try:
            signature = Webhook(self._shop.event_secret).sign(name, at, body.decode())
        except UnicodeDecodeError:
            signature = "v1,"
        headers = {"webhook-id": name, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
        kind = f"application/cloudevents{'-batch' * body.startswith(b'[')}+json"
        proved = body.replace(b"\\ud83d", b"\\ufffd")  # half an emoji is mended at the door
        return Asked(request(f"/events/{self._shop.slug}", headers | {"content-type": kind}, body), proved)

    def _event(self, customer: str, **more: object) -> dict[str, object]:
        data = {"customer_id": customer, "order_id": customer, "amount_minor": 100, "currency": "EUR"}
        envelope = {"specversion": "1.0", "id": customer, "source": "/shop", "type": "order.placed"}
        return envelope | {"time": datetime.now(UTC).isoformat(), "data": data | more}

    def _forwarded(self) -> Asked:
        """What proxies say of addresses, and what they do not."""
        body = self._body()
        forwarded = self._chance.choice((", ".join(self._chance.choices(_ADDRESSES, k=3)), self._text(), "9," * 900))
        headers = signed(self._shop, body, at=datetime.now(UTC)) | {self._chance.choice(_FORWARDED): forwarded}
        return Asked(request(self._shop.door, headers, body), body)

    def _in_chunks(self) -> Asked:
        """A signed body in chunks of any size, with trailers that would be headers."""
        body, sent = self._body(), b""
        head, _, _ = request(self._shop.door, signed(self._shop, body, at=datetime.now(UTC)), body).partition(
            b"\r\n\r\n"
        )
        at = 0
        while at < len(body):
            part = body[at : at + self._chance.choice((1, 70, 1000, len(body)))]
            sent += b"%x%s\r\n%s\r\n" % (len(part), b";a=b" * self._chance.randrange(2), part)
            at += len(part)
        names = (
            b"x-forwarded-for: 9.9.9.9",
            b"content-length: 3",
            b"host: evil",
            b"x-chatwoot-signature: 0",
            b"a: " + b"b" * 900,
        )
        trailers = b"".join(self._chance.choice(names) + b"\r\n" for _ in range(self._chance.choice((0, 1, 5, 200))))
        chunked = head.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
        return Asked(chunked + b"\r\n\r\n" + sent + b"0\r\n" + trailers + b"\r\n", body)

    def _upgrade(self) -> Asked:
        """As Java's client asks by default, or a browser for a socket; the body must not be lost."""
        body = self._body()
        more = self._chance.choice((_H2C, {"connection": "upgrade", "upgrade": "websocket"}, {"upgrade": "h2c"}))
        return Asked(request(self._shop.door, signed(self._shop, body, at=datetime.now(UTC)) | more, body), body)

    def _deep(self) -> Asked:
        """Nested at any of the doors, each time as deep as chance will."""
        depth = self._chance.randrange(1, _DEEPEST)
        deep = b"[" * depth + b"]" * depth if self._chance.random() < 0.5 else b'{"a":' * depth + b"1" + b"}" * depth
        return self._with_value(deep)

    def _swollen(self) -> Asked:
        """What is longer where it is written again, and what is long."""
        part = self._chance.choice((b"1e22", b"1e-7", b'"\\u003c"', b'"\\ud83d"', b"9" * 400, b'"\\u0000"', b"null"))
        times = self._chance.randrange(1, _LONGEST // len(part))
        return self._with_value(b"[" + b",".join([part] * times) + b"]")

    def _with_value(self, value: bytes) -> Asked:
        """A webhook, a beacon or a shop event, rightly signed, with this JSON in it."""
        way = self._chance.randrange(3)
        if way == 0:
            body = self._body()[:-1] + b',"content_attributes":' + value + b',"custom_attributes":' + value + b"}"
            return Asked(request(self._shop.door, signed(self._shop, body, at=datetime.now(UTC)), body), body)
        if way == 1:
            return self._signed_by_the_shop(orjson.dumps(self._event("c", more="@")).replace(b'"@"', value))
        event = {"id": event_id(datetime.now(UTC)), "event_type": "cart_updated", "event_data": {"a": "@"}}
        post = {"token": self._token, "consent": ["analytics"], "events": [event]}
        body = orjson.dumps(post).replace(b'"@"', value)
        return Asked(request("/beacons", {"content-type": "text/plain", "origin": ORIGIN}, body), b"")

    def _as_large_as_it_may(self) -> Asked:
        """Around the largest that the door takes."""
        body = orjson.loads(self._body())
        room = _LARGEST - len(orjson.dumps(body | {"content": ""})) + self._chance.randrange(-2, 3)
        body = orjson.dumps(body | {"content": "x" * room})
        return Asked(request(self._shop.door, signed(self._shop, body, at=datetime.now(UTC)), body), body)

    def _slowly(self) -> Asked:
        """Any of the others, with a pause at every byte or so, however short; the longest would take too long."""
        quick = [way for way in self._ways if way not in (self._slowly, self._as_large_as_it_may, self._swollen)]
        asked = self._chance.choice(quick)()
        size = self._chance.choice((1, 2, 17)) if len(asked.raw) < _SLOW else len(asked.raw) // _SLOW + 17
        return replace(asked, pause_every=size)

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
