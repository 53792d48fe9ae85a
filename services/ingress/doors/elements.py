"""A JSON array's elements, each as the very bytes it came in: what is passed on is not written anew."""

import json
import re

_SPACE = re.compile(r"[ \t\n\r]*")
# Only where each value ends is wanted: numbers of any length are not reckoned, control characters are the reader's.
_decoder = json.JSONDecoder(strict=False, parse_int=len, parse_float=len, object_pairs_hook=len)


def elements(array: bytes, most: int) -> list[bytes]:
    """At most one more than `most`. Raises ValueError for what is no array; its depth must have been judged before.

    Whether an element is text, and sound within, is not looked at: each is its own reader's.
    """
    text = array.decode("latin-1")  # a character for each byte: structure is ASCII, and what is no UTF-8 costs itself
    at = _expect(text, 0, "[")
    found: list[bytes] = []
    if text[at : at + 1] == "]":
        return found
    while len(found) <= most:
        _, end = _decoder.raw_decode(text, at)
        found.append(array[at:end])
        after = _past_space(text, end)
        if text[after : after + 1] == "]":
            if _past_space(text, after + 1) < len(text):
                raise ValueError(f"more than an array at {after + 1}")
            return found
        at = _expect(text, after, ",")
    return found


def _expect(text: str, at: int, sign: str) -> int:
    """Where what follows the sign begins."""
    at = _past_space(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} at {at}")
    return _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
