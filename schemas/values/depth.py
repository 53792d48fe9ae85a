"""How deep JSON is nested and how much is in it, judged by its bytes before anything reads them.

Each parser gives up at a depth of its own and in its own way: orjson writes 254 levels and reads 1,024, pydantic reads
200, Python's scanner raises RecursionError. What Chatwoot, pages and shops send has a dozen at the most.
Nor do they send more than some thousand values; 4 MiB of empty lists are 1.4 million, half a second of the loop.
"""

from itertools import accumulate

MOST_LEVELS = 64
MOST_VALUES = 50_000
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_ALL = set(range(256))
_NO_BRACKETS, _NO_BEGINNINGS = bytes(_ALL - set(b'[]{}"')), bytes(_ALL - set(b'[{,"'))


def too_deep(text: bytes, most: int = MOST_LEVELS) -> bool:
    """Whether it is nested more than `most` levels deep; of what is no JSON, whether a parser could come so deep."""
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    steps = _outside_strings(text, _NO_BRACKETS).translate(_STEPS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > most


def too_many(text: bytes | bytearray, most: int = MOST_VALUES) -> bool:
    """Whether it has more than `most` values, a list with something in it counted twice; of no JSON, whether it may."""
    if len(text) <= most or sum(map(text.count, (b"[", b"{", b","))) <= most:
        return False
    return len(_outside_strings(text, _NO_BEGINNINGS)) > most


def _outside_strings(text: bytes | bytearray, unseen: bytes) -> bytes | bytearray:
    """What is structure, but for what is unseen. In steps that each run over all bytes at once: no text costs more."""
    if b"\\" in text:
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    # Two quotes with nothing between them end what the first one began, or begin it anew: the rest means the same.
    marks = text.translate(None, unseen).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])
