"""What the doctor says: one finding a line, the gravest decides the exit code."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How grave; the numbers are exit codes."""

    OK = 0
    WARNING = 1
    FAULT = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen of one thing. What is well needs no cure."""

    about: str
    severity: Severity
    seen: str
    cure: str = ""
    store: str | None = None


def well(about: str, seen: str, *, store: str | None = None) -> Finding:
    return Finding(about, Severity.OK, seen, store=store)


def warning(about: str, seen: str, cure: str, *, store: str | None = None) -> Finding:
    return Finding(about, Severity.WARNING, seen, cure, store)


def fault(about: str, seen: str, cure: str, *, store: str | None = None) -> Finding:
    return Finding(about, Severity.FAULT, seen, cure, store)


def gravest(findings: Sequence[Finding]) -> Severity:
    return max((one.severity for one in findings), default=Severity.OK)
