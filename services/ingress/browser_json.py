"""JSON as browsers write it: of a text that was cut within an emoji, JSON.stringify keeps the half."""

from typing import Any

import orjson

from schemas.json_text import mend


def parsed(body: bytes) -> Any:
    """A half character becomes U+FFFD: it costs itself, not the events beside it. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(mend(body))
