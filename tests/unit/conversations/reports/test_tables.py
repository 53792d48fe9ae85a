"""What stands below a report's table."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.reports import Completeness, Report
from services.conversations.reports.tables import complete, spans

_NOW = datetime(2026, 11, 8, 9, 30, tzinfo=UTC)
_AMSTERDAM, _LONDON = "Europe/Amsterdam", "Europe/London"


def _midnight(zone: str) -> datetime:
    return datetime(2026, 11, 1, tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([(_midnight(_AMSTERDAM), _NOW, _AMSTERDAM)],
         "from 2026-11-01 00:00:00 to 2026-11-08 10:30:00 Europe/Amsterdam; times in seconds"),
        ([(_midnight(_AMSTERDAM), _NOW, _AMSTERDAM), (_midnight(_LONDON), _NOW, _LONDON)],
         "from 2026-11-01 00:00:00 of each store's zone to 2026-11-08 09:30:00 UTC; times in seconds"),
        ([(_NOW.replace(day=1), _NOW, _AMSTERDAM), (_NOW.replace(day=1), _NOW, _LONDON)],
         "from 2026-11-01 09:30:00 to 2026-11-08 09:30:00 UTC; times in seconds"),
    ],
)  # fmt: skip
def test_a_table_says_of_which_span_it_is(ends: list[tuple[datetime, datetime, str]], said: str) -> None:
    """Else a week without conversations looks like a store that lost them."""
    reports = [
        Report(store="s", by="account", since=since, until=until, timezone=zone, groups=())
        for since, until, zone in ends
    ]
    assert spans(reports) == [said]


def test_no_stores_have_no_span() -> None:
    assert spans([]) == []


def test_rules_not_applied_name_their_store_and_are_few() -> None:
    states = {name: Completeness(not_applied=(f"inbox {number}: …",)) for number, name in enumerate("abcde")}
    lines = complete(states).splitlines()
    assert lines == [
        "how complete is unknown",
        *("a, inbox 0: …", "b, inbox 1: …", "c, inbox 2: …"),
        "and the same of 2 more",
    ]
