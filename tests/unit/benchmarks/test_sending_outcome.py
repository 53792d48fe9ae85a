"""What a run of the sender is judged by: calls that a perfect one would have made, and how much it used the pace."""

import pytest

from benchmarks.contacts.sending_run import ContactChange, SendingOutcome

_ONE, _OTHER = (1, 7), (1, 8)


def outcome(*changes: ContactChange, looks: list[tuple[float, int, int]] | None = None) -> SendingOutcome:
    return SendingOutcome(100, 2, len(changes), 0, 0, list(changes), looks or [])


def test_a_perfect_sender_calls_once_for_each_contact_and_quiet_window_in_which_something_changed() -> None:
    made = outcome(
        ContactChange(_ONE, 10.0, news=True),
        ContactChange(_OTHER, 10.5, news=True),
        ContactChange(_ONE, 11.0, news=True),  # the same window: it should have been told with the first
        ContactChange(_ONE, 12.5, news=True),
        ContactChange(_OTHER, 20.0, news=False),  # nothing that Chatwoot did not hold
    )
    assert (made.perfect_calls, made.calls) == (3, 5)


def test_the_pace_is_used_only_while_more_are_ready_than_are_taken_at_once() -> None:
    looks = [(0.0, 0, 10), (10.0, 1, 500), (20.0, 391, 400), (30.0, 781, 300), (90.0, 790, 3)]
    assert outcome(looks=looks).budget_use(40.0) == pytest.approx(780 / 800)
    assert outcome(looks=looks[:2]).budget_use(40.0) is None
