"""The API's recorded answers are what our schemas read, and what the tests' own API tells."""

import re

import pytest

from schemas.chatwoot import rest
from tests.recordings.recorded import RUNS, calls, rows
from tests.services.conversations.recorded_api import RecordedApi

_MESSAGES = re.compile(r"/api/v1/accounts/(\d+)/conversations/(\d+)/messages")


@pytest.mark.parametrize("run", RUNS)
def test_recorded_messages_are_those_of_the_database(run: str) -> None:
    """By id, kind, author and second; what was written after the answer is not in it."""
    compared = 0
    for call in calls(run):
        asked = _MESSAGES.fullmatch(call.path)
        if asked and call.method == "GET":
            held = {one["id"]: one for one in RecordedApi(run).messages(int(asked[1]), int(asked[2]))}
            for told in rest.Messages.model_validate(call.response).payload:
                assert marks(told) == marks(rest.ApiMessage.model_validate(held[told.id]))
                compared += 1
    print(f"{run}: compared {compared} messages")
    assert compared > 90


@pytest.mark.parametrize("run", ["chatwoot-4.13.0", "chatwoot-3.16.0"])
def test_recorded_list_is_read_whole(run: str) -> None:
    """Every conversation of the page with its moments, and whether the release says when it was written."""
    call = next(call for call in calls(run) if "conversations?status=all" in call.path)
    account = int(call.path.split("/")[4])
    page = rest.Conversations.model_validate(call.response).data
    held = {row["conversation"]: row for row in rows(run, "conversations", account)}
    known = [one for one in page.payload if one.id in held]
    assert len(known) > 10
    assert all(one.inbox_id == held[one.id]["inbox_id"] for one in known)
    assert {one.updated_at is None for one in page.payload} == {run.startswith("chatwoot-3")}
    assert page.meta.all_count >= len(page.payload)


def marks(message: rest.ApiMessage) -> tuple[object, ...]:
    """What does not change after a message was written."""
    author = (message.sender.id, message.sender.type) if message.sender else None
    return message.id, message.message_type, message.content_type, message.private, author, message.created_at
