"""Chatwoot's reporting rules by release.

| rule | 3.x to 4.3 | 4.4 and later | 4.10 and later |
|---|---|---|---|
| resolving ends the wait | no | yes | yes |
| a bot's reply ends the wait | no | no | yes |
| the first response counts from | the bot's handover, else creation | same | the latest handover or opening, else \
the bot's own resolution, else creation |

Seen on 3.16.0 and 4.13.0; in between by the change log, whose last column says only "between 4.4 and 4.13".
"""

from typing import NamedTuple


class Rules(NamedTuple):
    """What depends on the release, and on whether the inbox has a bot."""

    resolving_ends_wait: bool
    bot_ends_wait: bool
    openings_count: bool
    has_bot: bool

    @classmethod
    def of(cls, release: str, *, has_bot: bool) -> "Rules":
        """The rules of a release such as "4.13.0"."""
        version = release_of(release)
        return cls(version >= (4, 4), version >= (4, 10), version >= (4, 10), has_bot)


def release_of(text: str) -> tuple[int, ...]:
    """Major and minor number: "4.13.0" is (4, 13)."""
    return tuple(int(part) for part in text.split(".")[:2])
