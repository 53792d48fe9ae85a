"""`wootstream verify` names the mistake that a signature shows."""

import hashlib
import hmac
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from local.replay.webhook_sender import sign
from services.ingress.diagnosis import RIGHT, examine, parse

_NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
_AT = str(int(_NOW.timestamp()) - 30)
_BODY = '{"event":"message_created","content":"é/ü"}'.encode()


def sentence(signature: str) -> str:
    head = f"POST /x HTTP/1.1\r\nX-Chatwoot-Timestamp: {_AT}\r\nX-Chatwoot-Signature: {signature}\r\n\r\n"
    return examine(parse(head.encode() + _BODY), "secret", _NOW).sentence


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (sign("secret", _AT, _BODY), RIGHT),
        ("sha256=" + hmac.new(b"secret", _BODY, hashlib.sha256).hexdigest(), "only the body was signed"),
        (sign("other", _AT, _BODY), "wrong secret"),
        (sign("secret\n", _AT, _BODY), "the line feed after the secret"),
        (sign("secret", _AT, _BODY).removeprefix("sha256="), "lacks `sha256=`"),
        (sign("secret", _AT, b'{"event": "message_created", "content": "\\u00e9/\\u00fc"}'), "written again"),
        (sign("secret", _AT, _BODY.replace(b"/", b"\\/")), "written again"),
        (sign("secret", _AT, _BODY + b"\n"), "line feed"),
    ],
)
def test_a_mistake_in_chatwoots_signature_is_named(signature: str, expected: str) -> None:
    assert expected in sentence(signature)


@pytest.mark.parametrize(
    ("secret", "expected"), [("whsec_c2VjcmV0", RIGHT), ("whsec_b3RoZXI=", "wrong secret"), ("c2VjcmV0", RIGHT)]
)
def test_a_shops_signature_is_told_likewise(secret: str, expected: str) -> None:
    signature = Webhook("whsec_c2VjcmV0").sign("msg_1", _NOW, _BODY.decode())
    head = f"webhook-id: msg_1\nwebhook-timestamp: {int(_NOW.timestamp())}\nwebhook-signature: v1,x {signature}\n\n"

    finding = examine(parse(head.encode() + _BODY), secret, _NOW)

    assert expected in finding.sentence
    assert finding.age_seconds == 0


@pytest.mark.parametrize("at", ["1795608000000", "now"])
def test_a_right_signature_over_a_time_that_the_door_refuses_is_not_right(at: str) -> None:
    head = f"X-Chatwoot-Timestamp: {at}\nX-Chatwoot-Signature: {sign('secret', at, _BODY)}\n\n"

    finding = examine(parse(head.encode() + _BODY), "secret", _NOW)

    assert (finding.right, finding.age_seconds) == (False, None)
    assert "rightly signed, but the timestamp" in finding.sentence


def test_a_request_without_a_signature_is_told_so() -> None:
    assert "no signature" in examine(parse(b"a: b\n\n{}"), "secret", _NOW).sentence


def test_standard_input_that_is_no_secret_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "request").write_bytes(b"a: b\n\n{}")
    verb = [sys.executable, "-m", "services.cli", "verify", "--secret-stdin", str(tmp_path / "request")]
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run(verb, stdin=endless, capture_output=True, text=True, check=False)
    assert (done.returncode, "more than a secret" in done.stderr) == (2, True)
