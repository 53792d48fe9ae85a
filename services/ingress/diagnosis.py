"""What is wrong with a saved request's signature: the mistakes that people make, each tried in turn."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from schemas.values.depth import too_deep
from schemas.vouching import SECRET_PREFIX
from services.ingress.signatures import PREFIX, unix_seconds

RIGHT = "the signature is right"
_UNKNOWN = "wrong secret, or the body was changed after it was signed"
_CHATWOOT, _STANDARD = b"x-chatwoot-signature", b"webhook-signature"
_NO_TIME = "the timestamp is missing or is no Unix time in seconds"
_NOT_SIGNED = "no signature: the sender does not sign (Chatwoot before 4.11.2), or a proxy took the header away"


class Diagnosis(NamedTuple):
    """`sentence` is for people; `age_seconds` how long before `now` it was signed, if that can be read."""

    right: bool
    sentence: str
    age_seconds: int | None


class Saved(NamedTuple):
    """A request as it was saved: headers by lower-case name, and the body."""

    headers: dict[bytes, bytes]
    body: bytes


def parse(raw: bytes) -> Saved:
    """Header lines, an empty line, the body; a request line before them is passed over."""
    head, _, body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    pairs = [line.partition(b":") for line in head.splitlines() if b":" in line]
    return Saved({name.strip().lower(): value.strip() for name, _, value in pairs}, body)


def examine(saved: Saved, secret: str, now: datetime) -> Diagnosis:
    """Compare with the right signature, then with those that come of a known mistake.

    Raises ValueError for an event secret that is no base64.
    """
    if given := saved.headers.get(_CHATWOOT):
        at, attempts = saved.headers.get(b"x-chatwoot-timestamp", b""), _chatwoot(saved, secret)
    elif given := saved.headers.get(_STANDARD):
        at, attempts = saved.headers.get(b"webhook-timestamp", b""), _standard(saved, secret)
    else:
        return Diagnosis(False, _NOT_SIGNED, None)
    seconds = unix_seconds(at)
    age = None if seconds is None else int(now.timestamp()) - seconds
    for sentence, expected in attempts:
        if any(hmac.compare_digest(expected, one) for one in given.split(b" ")):
            if sentence == RIGHT and seconds is None:
                return Diagnosis(False, f"rightly signed, but {_NO_TIME}", None)
            return Diagnosis(sentence == RIGHT, sentence, age)
    return Diagnosis(False, _UNKNOWN if seconds is not None else _NO_TIME, age)


def _chatwoot(saved: Saved, secret: str) -> Iterator[tuple[str, bytes]]:
    at = saved.headers.get(b"x-chatwoot-timestamp", b"") + b"."

    def sign(message: bytes, key: bytes = secret.encode()) -> bytes:
        return PREFIX + hmac.digest(key, message, "sha256").hex().encode()

    right = sign(at + saved.body)
    yield RIGHT, right
    yield f"the signature lacks `{PREFIX.decode()}`", right.removeprefix(PREFIX)
    yield "the digest is in capitals: it must be lower-case hex", PREFIX + right.removeprefix(PREFIX).upper()
    yield (
        "the digest is in base64: it must be hex",
        PREFIX + base64.b64encode(hmac.digest(secret.encode(), at + saved.body, "sha256")),
    )
    yield "signed with the line feed after the secret", sign(at + saved.body, f"{secret}\n".encode())
    yield from _of_other_texts(saved.body, sign, at)


def _standard(saved: Saved, secret: str) -> Iterator[tuple[str, bytes]]:
    name, at = (saved.headers.get(one, b"") + b"." for one in (b"webhook-id", b"webhook-timestamp"))
    plain = secret.removeprefix(SECRET_PREFIX)

    def sign(message: bytes, key: bytes = base64.b64decode(plain + "==")) -> bytes:
        return b"v1," + base64.b64encode(hmac.digest(key, message, "sha256"))

    yield RIGHT, sign(name + at + saved.body)
    right = sign(name + at + saved.body).removeprefix(b"v1,")
    yield "the signature lacks `v1,`", right
    yield "the digest is in hex: it must be base64", b"v1," + base64.b64decode(right).hex().encode()
    yield (
        "the secret was taken as text: the key is what its base64 stands for",
        sign(name + at + saved.body, secret.encode()),
    )
    yield "the secret was taken as text without its prefix", sign(name + at + saved.body, plain.encode())
    yield "the id is missing in what was signed: it is id, timestamp and body", sign(at + saved.body)
    yield from _of_other_texts(saved.body, sign, name + at)


def _of_other_texts(body: bytes, sign: Callable[[bytes], bytes], before: bytes) -> Iterator[tuple[str, bytes]]:
    yield "only the body was signed: the timestamp belongs to it", sign(body)
    for ending in (body + b"\n", body.rstrip(b"\r\n")):
        yield "the body ends in another line feed than was signed: how was it saved?", sign(before + ending)
    for text in _serialised_again(body):
        mistake = "the body was parsed and written again before it was signed, or after: sign the bytes that are sent"
        yield mistake, sign(before + text)
        yield f"{mistake}; and only the body was signed", sign(text)


def _serialised_again(body: bytes) -> Iterator[bytes]:
    """The same JSON as usual libraries write it."""
    # JavaScript, Go and Ruby write no space, Python one; PHP escapes slashes; some sort, some write ASCII alone.
    if too_deep(body):
        return
    try:
        value = json.loads(body)
    except ValueError:
        return
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            for in_order in (False, True):
                text = json.dumps(value, separators=separators, ensure_ascii=ascii_only, sort_keys=in_order)
                yield text.encode("utf-8", "surrogatepass")
                yield text.replace("/", "\\/").encode("utf-8", "surrogatepass")
    yield json.dumps(value, indent=2).encode()
