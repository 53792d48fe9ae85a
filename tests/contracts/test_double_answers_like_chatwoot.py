"""Recorded calls, sent to the double: the same status and the same keys."""

from typing import Any

import httpx

from tests.contracts.keys import keys
from tests.contracts.replay import NOT_PLAYED, Played
from tests.recordings.recorded import Call, calls

_MOST_NOT_PLAYED = 9  # kinds of steps
# A job lets automation rules speak: Chatwoot's answer was sometimes quicker than that.
_RACES = {"widget.conversation.create.automation": {".messages[].content_attributes.automation_rule_id"}}


def test_every_recorded_call_has_the_same_status_and_the_same_keys(played: Played) -> None:
    compared, share = len(played.answers), len(played.answers) / played.total
    print(f"{' and '.join(played.runs)}: {compared} of {played.total} calls compared, {share:.1%}")
    found = [(call.step, call.path, _difference(call, answer)) for call, answer in played.answers]
    assert [one for one in found if one[-1]] == []
    left = {call.step for run in played.runs for call in calls(run)} & NOT_PLAYED.keys()
    print(*(f"not played: {step}: {NOT_PLAYED[step]}" for step in sorted(left)), sep="\n")
    assert len(NOT_PLAYED) <= _MOST_NOT_PLAYED
    assert played.total - compared == sum(call.step in left for run in played.runs for call in calls(run))


def _difference(call: Call, answer: httpx.Response) -> Any:
    """What is not the same; nothing if all is."""
    if answer.status_code != call.status:
        return f"{call.status} recorded, {answer.status_code} answered: {answer.text[:200]}"
    if isinstance(call.response, str):  # nothing, a line or a page
        return None if bool(call.response) == bool(answer.content) else answer.text
    return (keys(call.response) ^ keys(answer.json())) - _RACES.get(call.step, set())
