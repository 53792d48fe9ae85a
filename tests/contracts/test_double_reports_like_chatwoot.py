"""Reports of the double after a run: Chatwoot's own figures."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts.replay import Played

_OFF_SECONDS = 2.0  # a recorded call was sent that long before Chatwoot had it done, and values are cut to seconds


def test_every_count_is_chatwoots_and_every_average_within_two_seconds(played: Played) -> None:
    compared = 0
    for call, answer in played.answers:
        if call.path.startswith("/api/v2/") and call.status == 200:
            theirs, ours = dict(_leaves(call.response)), dict(_leaves(answer.json()))
            exact = {key: one for key, one in theirs.items() if not isinstance(one, float)}
            near = {key: pytest.approx(one, abs=_OFF_SECONDS) for key, one in theirs.items() if isinstance(one, float)}
            assert ours == exact | near, call.path
            compared += len(theirs)
    print(f"{' and '.join(played.runs)}: {compared} figures compared")
    assert compared > 200


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Figures by their path; ids and names are the double's own."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in ("id", "name", "email"):
                yield from _leaves(one, f"{at}.{key}")
    elif isinstance(value, list):
        # Agents come in no order that could be relied on: their address names them.
        for number, one in enumerate(value):
            yield from _leaves(one, f"{at}[{one.get('email') or number}]")
    else:
        yield at, value
