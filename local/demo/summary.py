"""The demo's last words: a table of the stores, how fast it went, how much memory it took, and the audit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from local.demo.store_numbers import StoreNumbers
from local.demo.traffic import Answers
from services.control.ledger.answer import Audit
from services.control.ledger.wording import findings, verdict
from services.kernel.cli.terminal import show

_OUTCOMES = ("consumed", "applied", "duplicate", "ignored", "dead", "lost", "hollow", "redelivered")
_COLUMNS = tuple(field.name.replace("_", " ") for field in fields(StoreNumbers))


def show_stores(rows: Sequence[StoreNumbers]) -> None:
    """A line for each store."""
    cells = [
        [f"{cell:.0f} s" if isinstance(cell, float) else "none" if cell is None else cell for cell in astuple(row)]
        for row in rows
    ]
    show(_COLUMNS, cells)


def show_end(answers: Answers, seconds: float, memory: Mapping[str, int], audit: Audit) -> None:
    """How it went; the audit's verdict is the last line."""
    sent, rate = answers.webhooks.total(), answers.webhooks.total() / max(seconds, 1e-9)
    print(f"\n{sent} recorded webhooks in {seconds:.0f} s ({rate:.0f} a second)", end=", ")
    print(f"{answers.shops.total()} requests of shops and visitors; refused: {answers.refused}")
    print("memory: " + ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in memory.items()) + "\n")
    _show_sums(audit)


def _show_sums(audit: Audit) -> None:
    """The audit with the partitions of a topic added up."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for line in audit.lines:
        sums.setdefault((line.group or "(nobody yet)", line.topic), Counter()).update(
            {name: getattr(line, name) for name in _OUTCOMES}
        )
    rows = [(*of, *(counts[name] for name in _OUTCOMES)) for of, counts in sorted(sums.items())]
    show(("group", "topic", *_OUTCOMES), rows, footer="\n".join(["", *findings(audit), verdict(audit)]))
