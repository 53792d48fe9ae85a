"""How deep JSON is nested, judged by its bytes before anything that recurses reads them.

Each parser gives up at a depth of its own and in its own way: orjson writes 254 levels and reads 1,024, pydantic reads
200, Python's scanner raises RecursionError. What Chatwoot, pages and shops send has a dozen at the most.
"""

from itertools import accumulate

MOST_LEVELS = 64
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_UNSEEN = bytes(set(range(256)) - set(b'[]{}"'))


def too_deep(text: bytes, most: int = MOST_LEVELS) -> bool:
    """Whether it is nested more than `most` levels deep; of what is no JSON, whether a parser could come so deep."""
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    steps = _outside_strings(text).translate(_STEPS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > most


def _outside_strings(text: bytes) -> bytes:
    """The brackets that are structure. In a few steps that each run over all bytes at once: no text costs more."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes with nothing between them end what the first one began, or begin it anew: the rest means the same.
    marks = text.translate(None, _UNSEEN).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])
