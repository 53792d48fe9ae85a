"""JSON as browsers write it: of a text that was cut within an emoji, JSON.stringify keeps the half."""

import re
from typing import Any

import orjson

# Escaped backslashes and whole pairs are passed over; what is left of the halves stands alone.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def parsed(body: bytes) -> Any:
    """A half character becomes U+FFFD: it costs itself, not the events beside it. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(_ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], body))
