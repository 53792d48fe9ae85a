"""An upgrade and a restore wait until what was there is read, and not for a moment in which nobody writes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from deploy.host import compose
from deploy.host.compose import CannotDo, Compose

_BEGAN = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Installation(Compose):
    """Its audits, one after the other; the last one again and again."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__()
        self._answers = list(answers)

    def verb(self, *arguments: str) -> tuple[int, str, str]:
        assert arguments == ("audit", "--since", "2026-03-10T12:00:00+00:00", "--json")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return 0 if answer["clean"] else 1, orjson.dumps(answer).decode(), ""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "_LOOK_AGAIN_SECONDS", 0.0)


def _seconds() -> Iterator[float]:
    for number in range(1_000):
        yield float(number)


def _audit(next_offset: int, end_offset: int, *, clean: bool = True, group: str = "widget") -> dict[str, Any]:
    line = {"group": group, "topic": "widget.events", "partition": 3, "next_offset": next_offset,
            "end_offset": end_offset, "in_flight": end_offset - next_offset}  # fmt: skip
    return {"clean": clean, "missing": 0, "in_flight": end_offset - next_offset, "topics": [line]}


def test_what_arrives_meanwhile_is_not_waited_for() -> None:
    busy = Installation(_audit(90, 100), _audit(99, 110), _audit(100, 120), _audit(130, 130))
    answer = busy.audited(since=_BEGAN, seconds=10, clock=_seconds().__next__)
    assert answer["topics"][0]["next_offset"] == 100


def test_what_was_there_is_waited_for_and_a_group_that_comes_later_has_its_own_end() -> None:
    late = _audit(100, 110)
    late["topics"] += _audit(0, 50, group="customers")["topics"]
    with pytest.raises(CannotDo, match="not clean after 10 s: 10 in flight, 0 missing"):
        Installation(_audit(90, 100), late).audited(since=_BEGAN, seconds=10, clock=_seconds().__next__)


def test_nothing_is_well_that_is_not_clean() -> None:
    with pytest.raises(CannotDo, match="not clean"):
        Installation(_audit(100, 100, clean=False)).audited(since=_BEGAN, seconds=3, clock=_seconds().__next__)
