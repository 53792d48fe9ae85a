"""Recorded calls, sent to the double: the same status and the same keys."""

from typing import Any

import httpx

from tests.contracts.keys import keys
from tests.contracts.replay import Played
from tests.recordings.recorded import Call

# By the first run of a series; the rest of its calls are reports and what NOT_PLAYED names.
_LEAST_COMPARED = {"chatwoot-4.13.0": 800, "chatwoot-4.13.0-bots": 418, "chatwoot-3.16.0": 463}
# A job lets automation rules speak: Chatwoot's answer was sometimes quicker than that.
_RACES = {"widget.conversation.create.automation": {".messages[].content_attributes.automation_rule_id"}}


def test_every_recorded_call_has_the_same_status_and_the_same_keys(played: Played) -> None:
    compared, share = len(played.answers), len(played.answers) / played.total
    print(f"{' and '.join(played.runs)}: {compared} of {played.total} calls compared, {share:.1%}")
    found = [(call.step, call.path, _difference(call, answer)) for call, answer in played.answers]
    assert [one for one in found if one[-1]] == []
    assert compared >= _LEAST_COMPARED[played.runs[0]]


def _difference(call: Call, answer: httpx.Response) -> Any:
    """What is not the same; nothing if all is."""
    if answer.status_code != call.status:
        return f"{call.status} recorded, {answer.status_code} answered: {answer.text[:200]}"
    if isinstance(call.response, str):  # nothing, a line or a page
        return None if bool(call.response) == bool(answer.content) else answer.text
    return (keys(call.response) ^ keys(answer.json())) - _RACES.get(call.step, set())
