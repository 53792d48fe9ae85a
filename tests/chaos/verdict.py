"""What the rounds showed, told at the end of `make chaos`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.sink import Told


@dataclass(frozen=True)
class Round:
    """One kind of attack: how often, what it left, and what else there is to say of it."""

    attack: str
    times: int
    lost: int
    doubled: int
    redelivered: int
    more: str = ""

    def line(self) -> str:
        said = f"{self.times} {self.attack}: {self.lost} lost, {self.doubled} doubled, {self.redelivered} redelivered"
        return f"{said}; {self.more}" if self.more else said


@dataclass
class Verdict:
    """Collected over a session; told once."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # claims that hold beyond the counts: "audit clean"

    def add(self, attack: str, times: int, told: Told, more: str = "") -> None:
        self.rounds.append(Round(attack, times, told.lost, told.doubled, told.redelivered, more))

    def storm(self, kills: int, told: Told, *, generations: int, rows: int) -> None:
        """The round that also holds the audit and the figures against a calm run."""
        more = f"{told.stored} records, {generations} generations of stores with the same {rows} rows as the calm one"
        self.add("kills of consumers, door, Kafka and PostgreSQL", kills, told, more)
        self.shown += ["audit clean", "figures equal"]

    def line(self, *, failed: int) -> str:
        """The last line."""
        if failed or not self.rounds:
            return f"chaos: {failed} rounds FAILED (seed {self.seed})"
        times = sum(one.times for one in self.rounds)
        lost, doubled = sum(one.lost for one in self.rounds), sum(one.doubled for one in self.rounds)
        claims = ", ".join([f"{lost} lost", f"{doubled} doubled", *self.shown])
        return f"chaos: {times} sudden deaths and upsets, {claims} (seed {self.seed})"


def listed(seconds: Iterable[float]) -> str:
    """Figures in the order in which they were measured."""
    return " ".join(f"{one:.1f}" for one in seconds)
