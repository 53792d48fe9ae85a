"""What the rounds showed, told at the end of `make chaos`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.sink import Told


@dataclass(frozen=True)
class Round:
    """One kind of attack: how often, how many records it met, what it left, and what else there is to say of it."""

    attack: str
    times: int
    told: Told
    more: str = ""

    def line(self) -> str:
        told = self.told
        said = f"{self.times} {self.attack}: {told.stored} records, {told.lost} lost, {told.doubled} doubled"
        return "; ".join(filter(None, (f"{said}, {told.redelivered} redelivered", self.more)))


@dataclass
class Verdict:
    """Collected over a session; told once."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # what holds beyond the counts: "audit clean"

    def add(self, attack: str, times: int, told: Told, more: str = "") -> None:
        self.rounds.append(Round(attack, times, told, more))

    def add_compared(self, attack: str, times: int, told: Told, *, generations: int, rows: int) -> None:
        """A round that also held the audit and the figures against a calm run."""
        self.add(attack, times, told, f"audit clean, the same {rows} rows as a calm run in {generations} generations")
        self.shown = ["audit clean", "figures equal"]

    def line(self, *, passed: bool) -> str:
        """The last line."""
        if not passed:
            return f"chaos: FAILED, or ended early: see above (seed {self.seed})"
        times = sum(one.times for one in self.rounds)
        lost, doubled = (sum(getattr(one.told, name) for one in self.rounds) for name in ("lost", "doubled"))
        claims = ", ".join([f"{lost} lost", f"{doubled} doubled", *self.shown])
        return f"chaos: {times} sudden deaths and upsets, {claims} (seed {self.seed})"


def listed(seconds: Iterable[float]) -> str:
    """Figures in the order in which they were measured."""
    return " ".join(f"{one:.1f}" for one in seconds)
