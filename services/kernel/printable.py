"""Strangers' text on a terminal: what would move the cursor, turn the direction or hide something is shown escaped. And
moments.

Names of events, agents and inboxes, header names and reasons come from who sends to us. One control sequence in them
could rewrite what an operator reads, or what his terminal answers.
"""

import re
import unicodedata
from datetime import UTC, datetime

# Control characters, format characters, halves of pairs, separators of lines and paragraphs.
_STEERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Writers of JSON escape only what lies below a space. C1 holds a one-character CSI; the others hide or turn text.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def utc(moment: datetime) -> str:
    """A moment that somebody reads, who must not have to guess of which zone it is."""
    return f"{moment.astimezone(UTC):%F %T} UTC"


def printable(text: str) -> str:
    """On one line, and the same where nothing in it is odd."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def printable_lines(text: str) -> str:
    """The same of several lines of ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """JSON that means the same; only within its strings can anything odd stand."""
    return _UNSEEN.sub(lambda found: _in_json(found[0]), text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode() if unicodedata.category(character) in _STEERS else character


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
