"""A customer's profile: of each field the newest word, whatever the order in which words arrive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FIELDS = ("email", "phone", "name", "preferred_language", "marketing_consent", "registered_at")


@dataclass(slots=True)
class Profile:
    """Values, and for each the moment and event that said it."""

    values: dict[str, Any] = field(default_factory=dict)
    moments: dict[str, str] = field(default_factory=dict)

    @classmethod
    def kept(cls, row: Mapping[str, Any]) -> "Profile":
        return cls({name: row[name] for name in FIELDS}, dict(row["profile_moments"]))

    def take(self, fields: Mapping[str, Any], *, at: datetime, event_id: str) -> None:
        """Take each field that is newer than what we have; of one moment the greater event id wins."""
        # one width, so that texts compare as moments do
        moment = f"{at.astimezone(UTC).isoformat(timespec='microseconds')} {event_id}"
        for name, value in fields.items():
            if moment > self.moments.get(name, ""):
                self.values[name], self.moments[name] = value, moment
