"""What proves Chatwoot's webhooks: HMAC as anybody reckons it. What proves a shop's events: any right signature of the
header, by any of its keys, over the bytes as they are."""

import base64
import hmac

import pytest

from services.ingress.doors.shop_signature import signed_as_standard
from services.ingress.signatures import Signer

_CURRENT, _PREVIOUS = b"current", b"previous"
_BODY = b'{"name":"\xff"}'


def signature(key: bytes = _CURRENT, body: bytes = _BODY, name: bytes = b"msg_1") -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, name + b".1700000000." + body, "sha256"))


def proved(signatures: bytes) -> bool:
    return signed_as_standard((_CURRENT, _PREVIOUS), b"msg_1", b"1700000000", _BODY, signatures)


@pytest.mark.parametrize(
    "signatures",
    [
        signature(),
        signature(_PREVIOUS),
        b"v1,!damaged!!= " + signature(),
        b"v1,\xff " + signature(),
        b"nonsense " + signature() + b" v1a,c2lnbmF0dXJl",
        b"v1a," + base64.b64encode(b"k" * 64) + b" " + signature(_PREVIOUS),
    ],
)
def test_a_right_signature_is_enough_whatever_stands_beside_it(signatures: bytes) -> None:
    assert proved(signatures)


@pytest.mark.parametrize(
    "signatures",
    [
        b"",
        b"v1,",
        signature(b"other"),
        signature(body=b"{}"),
        signature(name=b"msg_2"),
        b"v2" + signature()[2:],
        signature()[:-1],
        signature().lower(),
        b"v1, " * 50_000 + signature(),
    ],
)
def test_nothing_else_proves_anything(signatures: bytes) -> None:
    assert not proved(signatures)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 65, 200])
def test_chatwoots_signature_is_hmac_however_long_its_secret_is(length: int) -> None:
    secret = bytes(range(length))
    signer = Signer(secret)
    for body in (b"", _BODY, b"x" * 5_000):
        right = hmac.new(secret, b"1700000000." + body, "sha256").hexdigest().encode()
        assert signer.signature(b"1700000000", body) == b"sha256=" + right
