"""What is mended in JSON as strangers write it, byte by byte."""

import pytest

from schemas.values.json_text import mend


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        (rb'["\ud83d\ude00"]', rb'["\ud83d\ude00"]'),
        (rb'["\ud83d","\uDE00"]', rb'["\ufffd","\ufffd"]'),
        (rb'["\ud83d\ud83d\ude00\ude00"]', rb'["\ufffd\ud83d\ude00\ufffd"]'),
        (rb'["\\ud83d"]', rb'["\\ud83d"]'),
        (b'["\xff"]', '["\N{REPLACEMENT CHARACTER}"]'.encode()),
        (b"[%b,%b]" % (b"1" * 4_000, b"2" * 4_001), b"[%b,%b]" % (b"1" * 4_000, b"2" * 4_000)),
        (b"%b.%b" % (b"1" * 9_000, b"2" * 9_000), b"%b.%b" % (b"1" * 4_000, b"2" * 4_000)),
    ],
)
def test_half_pairs_and_bytes_that_are_no_text_are_replaced_and_long_numbers_cut(body: bytes, mended: bytes) -> None:
    assert mend(body) == mended
