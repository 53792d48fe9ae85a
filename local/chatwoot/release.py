"""What a release of Chatwoot does differently, as far as the recordings of 3.16.0 and 4.13.0 and the changelog tell."""

from dataclasses import dataclass

_NAMES = """
    conversation_created conversation_status_changed conversation_updated message_created message_updated
    webwidget_triggered contact_created contact_updated
""".split()
_INBOX_NAMES = ["inbox_created", "inbox_updated"]
_TYPING_NAMES = ["conversation_typing_on", "conversation_typing_off"]


@dataclass(frozen=True)
class PlayedRelease:
    """A version such as `4.13.0`; the properties say since when something is so."""

    text: str = "4.13.0"

    def since(self, major: int, minor: int, patch: int = 0) -> bool:
        return tuple(int(part) for part in self.text.split(".")) >= (major, minor, patch)

    @property
    def modern(self) -> bool:
        """4.x: `blocked`, `assignee_type`, `updated_at`, `provider` and `has_more` are shown."""
        return self.since(4, 0, 2)

    @property
    def signs(self) -> bool:
        """Account webhooks have a secret, a delivery id and a signature."""
        return self.since(4, 11, 2)

    @property
    def names_account(self) -> bool:
        """Conversation events carry `account` (merged in mid 2026, after 4.14)."""
        return self.since(4, 15)

    @property
    def merges_additional_attributes(self) -> bool:
        return self.since(4, 2)

    @property
    def clears_waiting_on_resolve(self) -> bool:
        return self.since(4, 4)

    @property
    def bot_reply_ends_waiting(self) -> bool:
        return self.since(4, 10)

    @property
    def notes_openings(self) -> bool:
        """Reports know when a conversation was opened again."""
        return self.since(4, 10)

    @property
    def subscriptions(self) -> list[str]:
        """Names a webhook may subscribe to."""
        return _NAMES + _INBOX_NAMES + (_TYPING_NAMES if self.since(4, 2) else [])

    @property
    def default_subscriptions(self) -> list[str]:
        return list(_NAMES)
