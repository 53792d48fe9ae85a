"""How deep JSON is nested, judged by its bytes before anything that recurses reads them.

Each parser gives up at a depth of its own and in its own way: orjson writes 254 levels and reads 1,024, pydantic reads
200, Python's scanner raises RecursionError. What Chatwoot, pages and shops send has a dozen at the most.
"""

import re
from itertools import accumulate

MOST_LEVELS = 64
# A string ends at its quote, or with the text: else each quote of one that never ends would be tried in turn.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def too_deep(text: bytes, most: int = MOST_LEVELS) -> bool:
    """Whether it is nested more than `most` levels deep; of what is no JSON, whether a parser could come so deep."""
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    steps = _STRINGS.sub(b"", text).translate(_STEPS, _OTHERS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > most
