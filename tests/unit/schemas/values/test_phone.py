"""A phone is written as Chatwoot keeps it, or not at all."""

import pytest

from schemas.values.phone import e164


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("+31612345678", "+31612345678"), ("+31 6 1234-5678", "+31612345678"), ("(+49) 30/123.456", "+4930123456"),
        ("06 12345678", None), ("0031 6 12345678", None), ("+31 (0)6 12345678", None), ("+0612345678", None),
        ("n/a", None), ("", None), ("+", None), ("+31612345678+", None), ("+1234567890123456", None),
        ("+\u0663\u0661\u0666", None),
    ],
)  # fmt: skip
def test_a_number_that_names_its_country_loses_what_stands_between_its_digits(written: str, kept: str | None) -> None:
    assert e164(written) == kept
