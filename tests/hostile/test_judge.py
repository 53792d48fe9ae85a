"""The figures of the judge, from waits that are made up: what is compared, and which act is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.hostile.honest import Sent
from tests.hostile.judge import MOST_RATIO, Judgement, by_act, p99, within
from tests.hostile.scene import Span

_BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)
_CALM, _WAVE = (Span(name, _BEGIN + timedelta(seconds=s), _BEGIN + timedelta(seconds=s + 10)) for name, s in
                (("calm", 0), ("wave", 10)))  # fmt: skip
_FAULTLESS = Judgement(
    acts=1, sent=1, refused={}, lost=[], late=0, untold=[], calm_p99=0.004, attacked_p99=0.004, ended_during=None,
    peak_bytes=1, server_errors={}, honest_letters=[], bugs=[], audit_faults=[], act_faults=[], logged={}, by_act={},
    weighted=True,
)  # fmt: skip


def sent(second: float, seconds: float) -> Sent:
    return Sent("webhooks", f"{second}", _BEGIN + timedelta(seconds=second), seconds, 204, None)


def waits(*, held_up_at: float) -> list[Sent]:
    """200 a second for 20 s, 4 ms each; from one moment on the loop stands still for 50 ms of every 500."""
    found = []
    for number in range(4_000):
        second = number / 200
        into = (second - held_up_at) % 0.5
        found.append(sent(second, 0.004 + (0.05 - into if second >= held_up_at and into < 0.05 else 0)))
    return found


def test_loop_that_stands_still_for_50_ms_in_the_waves_breaks_the_promise() -> None:
    all_of_it = waits(held_up_at=10)
    calm, attacked = p99(within(all_of_it, [_CALM])), p99(within(all_of_it, [_WAVE]))
    judgement = replace(_FAULTLESS, calm_p99=calm, attacked_p99=attacked)

    assert attacked > MOST_RATIO * calm
    assert [*judgement.broken(timed=True)] == ["p99 ratio"]
    assert judgement.broken(timed=False) == {}
    assert "NOT CLEAN: p99 ratio" in judgement.line(timed=True)


def test_same_waits_in_calm_and_in_the_waves_keep_it() -> None:
    all_of_it = waits(held_up_at=0)

    assert p99(within(all_of_it, [_WAVE])) < MOST_RATIO * p99(within(all_of_it, [_CALM]))
    assert _FAULTLESS.broken(timed=True) == {}


def test_act_beside_which_answers_took_longest_is_named_first() -> None:
    quiet, guilty = Span("quiet", _BEGIN, _BEGIN + timedelta(seconds=9)), _WAVE._replace(name="guilty")

    found = by_act(waits(held_up_at=10), [quiet, guilty])

    assert [*found] == ["guilty", "quiet"]
    assert "worst beside guilty" in replace(_FAULTLESS, by_act=found).line(timed=True)


def test_what_waits_since_before_an_act_began_is_counted_beside_it() -> None:
    late = [sent(9.9, 5.0)] * 30

    assert by_act(late, [_WAVE._replace(name="guilty")]) == {"guilty": 5.0}
