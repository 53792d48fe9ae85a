"""Strangers' text in a cell of CSV, which most people open as a sheet: what begins so is a formula there, and may send
the other cells to an address, or start a program."""

import re

# Also as full-width signs, and behind what a sheet passes over. More apostrophes are of who was guarded before.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
# A phone, or an amount: of digits alone a sheet makes a number.
_NUMBER = re.compile(r"[+-][0-9][0-9 ().-]*")


def guarded(text: str) -> str:
    """The same to who reads it in a sheet."""
    return f"'{text}" if _is_formula(text) else text


def unguarded(text: str) -> str:
    """What `guarded` made it of; what it did not make is as it is."""
    return text[1:] if text[:1] == "'" and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return _FORMULA.match(text) is not None and not _NUMBER.fullmatch(text)
