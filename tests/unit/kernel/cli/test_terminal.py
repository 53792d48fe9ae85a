"""How an operator says since when."""

from datetime import UTC, datetime, timedelta

import pytest

from services.kernel import Refusal
from services.kernel.cli.terminal import since


def test_dates_are_of_utc_unless_they_name_a_zone() -> None:
    assert since("2026-11-01T09:00") == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert since("2026-11-01T09:00+01:00") == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert since(None) is None


def test_span_counts_back_from_now() -> None:
    before, moment, after = datetime.now(UTC), since("7d"), datetime.now(UTC)
    assert moment is not None
    assert before <= moment + timedelta(days=7) <= after


@pytest.mark.parametrize(
    "text", ["yesterday", "7y", "99999999999d", "999999999d", "0001-01-01", "9999-12-31T23:59-12:00"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Refusal, match="say 30m, 12h"):
        since(text)
