"""What stands below a report's table."""

from schemas.reports import Completeness
from services.conversations.reports.tables import complete


def test_rules_not_applied_name_their_store_and_are_few() -> None:
    states = {name: Completeness(not_applied=(f"inbox {number}: …",)) for number, name in enumerate("abcde")}
    lines = complete(states).splitlines()
    assert lines == [
        "how complete is unknown",
        *("a, inbox 0: …", "b, inbox 1: …", "c, inbox 2: …"),
        "and the same of 2 more",
    ]
