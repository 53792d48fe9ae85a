"""What a session of hostile acts showed, told at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.hostile.judge import Judgement

_SHOWN_ACTS = 8


@dataclass
class Verdict:
    """`timed`: whether promises on time are judged, too; only where nothing else runs on the machine."""

    seed: int
    timed: bool
    judgement: Judgement | None = None
    _cut_short: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def judged(self, judgement: Judgement, cut_short: Mapping[str, Mapping[str, int]]) -> None:
        self.judgement, self._cut_short = judgement, cut_short

    def lines(self) -> list[str]:
        """The last one is the verdict."""
        seed = f"(seed {self.seed})"
        if self.judgement is None:
            return [f"hostile: FAILED, or ended early: see above {seed}"]
        cut = [f"  {name}: {times} x {how}" for name, ends in self._cut_short.items() for how, times in ends.items()]
        logged = [f"  {times} x {what}" for what, times in self.judgement.logged.items()]
        slow = [f"  {p99 * 1000:.1f} ms beside {name}" for name, p99 in [*self.judgement.by_act.items()][:_SHOWN_ACTS]]
        broken = [f"  {name}: {found}" for name, found in self.judgement.broken(timed=self.timed).items()]
        return [
            *(["acts that did not come to their end:", *cut] if cut else []),
            *(["errors that the system logged:", *logged] if logged else []),
            *([f"{self.judgement.compared}:", *slow] if slow else []),
            *(["promises that do not hold:", *broken] if broken else []),
            f"{self.judgement.line(timed=self.timed)} {seed}",
        ]
