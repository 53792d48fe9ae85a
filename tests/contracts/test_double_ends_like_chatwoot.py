"""After a run the double holds what Chatwoot's own database held."""

from collections.abc import Iterator
from typing import Any

from local.chatwoot.model.rows import Account, Contact, Conversation
from tests.contracts.replay import Played
from tests.recordings.recorded import rows, stores

_PRIORITIES = (None, "low", "medium", "high", "urgent")  # the database counts the names from 0
_CONTACT = ("name", "email", "phone_number", "identifier", "custom_attributes")
_MOMENTS = ("assignee_id", "team_id", "snoozed_until", "first_reply_created_at", "waiting_since")


def accounts(played: Played) -> Iterator[tuple[int, Account]]:
    """Recorded account ids of the first run, after which the database was read, and the double's accounts."""
    for store in stores(played.runs[0]):
        yield store["account"], played.double.state.accounts[played.names.id("accounts", store["account"])]


def test_conversations_end_as_in_chatwoots_own_database(played: Played) -> None:
    for recorded, account in accounts(played):
        theirs = rows(played.runs[0], "conversations", recorded)
        ours = [
            account.conversations[played.names.id("conversations", one["conversation"], recorded)] for one in theirs
        ]
        assert [_state(one) for one in ours] == [_recorded_state(one) for one in theirs]
        assert len(theirs) > 10


def test_contacts_end_as_in_chatwoots_own_database(played: Played) -> None:
    for recorded, account in accounts(played):
        theirs = rows(played.runs[0], "contacts", recorded)
        held = played.double.state.contacts[account.id]
        ours = [held[played.names.id("contacts", one["id"])] for one in theirs]
        assert [_named(one) for one in ours if not _is_anonymous(one)] == [
            tuple(one[key] for key in _CONTACT) for one in theirs if one["email"] or one["identifier"]
        ]
        assert len(theirs) > 10


def _state(row: Conversation) -> tuple[Any, ...]:
    moments = [getattr(row, key) is not None for key in _MOMENTS]
    return row.status, row.priority, sorted(row.label_list), row.custom_attributes, moments


def _recorded_state(row: dict[str, Any]) -> tuple[Any, ...]:
    priority = _PRIORITIES[0 if row["priority"] is None else row["priority"] + 1]
    labels = sorted((row["cached_label_list"] or "").split(", ")) if row["cached_label_list"] else []
    return row["status"], priority, labels, row["custom_attributes"], [row[key] is not None for key in _MOMENTS]


def _named(row: Contact) -> tuple[Any, ...]:
    return tuple(getattr(row, key) for key in _CONTACT)


def _is_anonymous(row: Contact) -> bool:
    """Their names are made up."""
    return not (row.email or row.identifier)
