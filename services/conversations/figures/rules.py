"""Chatwoot's reporting rules by release.

| rule | 3.x to 4.3 | 4.4 and later | 4.10 and later |
|---|---|---|---|
| resolving ends the wait | no | yes | yes |
| a bot's reply ends the wait | no | no | yes |
| a channel app's echo mark makes an answer, whoever bears it | no | no | yes |
| the first response counts from | the bot's handover, else creation | same | the latest handover or opening, else \
the bot's own resolution, else creation |

Seen on 3.16.0 and 4.13.0; in between by the change log, whose last column says only "between 4.4 and 4.13".
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.conversations.figures.facts import Message

_NUMBERS = re.compile("[0-9]{1,4}")


class Rules(NamedTuple):
    """What depends on the release, and on whether the inbox has a bot."""

    resolving_ends_wait: bool
    bot_ends_wait: bool
    openings_count: bool
    has_bot: bool

    def is_answer(self, message: Message) -> bool:
        """Chatwoot's `human_response?`: a user's words, or a channel app's echo, which names nobody."""
        return message.kind == "human" and (message.is_users or message.speaker is None or self.openings_count)

    @classmethod
    def of(cls, release: str, *, has_bot: bool) -> "Rules":
        """The rules of a release such as "4.13.0"."""
        version = release_of(release)
        return cls(version >= (4, 4), version >= (4, 10), version >= (4, 10), has_bot)

    def at(self, _moment: datetime) -> "Rules":
        """They always hold."""
        return self


class Dated(NamedTuple):
    """Rules of a store that changed its release: each holds since a moment, the first also before."""

    since: tuple[tuple[datetime, Rules], ...]

    @classmethod
    def of(cls, releases: Sequence[tuple[datetime, str]], *, has_bot: bool) -> "Dated":
        return cls(tuple((since, Rules.of(release, has_bot=has_bot)) for since, release in sorted(releases)))

    def at(self, moment: datetime) -> Rules:
        """Those that held at the moment."""
        return next((rules for since, rules in reversed(self.since) if since <= moment), self.since[0][1])


Ruling = Rules | Dated


def release_of(text: str) -> tuple[int, ...]:
    """Major and minor number: "4.13.0" is (4, 13)."""
    return tuple(int(part) for part in _NUMBERS.findall(text)[:2])
