"""Telephone numbers, as people write them and as Chatwoot keeps them."""

import re

_NO_DIGIT = re.compile(r"[^0-9+]")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_TRUNK = "(0)"  # to be left out by who dials the country, too: what is left without it is no number


def e164(text: str) -> str | None:
    """+31612345678 for "+31 6 1234-5678"; None for what names no country, or is no number."""
    plain = _NO_DIGIT.sub("", text)
    return plain if _TRUNK not in text and _E164.fullmatch(plain) else None
