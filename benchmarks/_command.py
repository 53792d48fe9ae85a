"""A benchmark's command line: how much, how often, and the one object that scripts read."""

import argparse
import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import uvloop

from services.kernel.telemetry.logs import configure_logs, quiet_client_logs

# Fewer say nothing about how far a figure strays.
ROUNDS = 5
Measure = Callable[[int, int], Awaitable[dict[str, Any]]]


def command(measure: Measure, description: str, *, amount: str, default: int, rounds: int) -> None:
    """Measure so many of `amount` in so many rounds; `--json` prints the result, with the machine, as the last line."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", action="store_true", help="end with one JSON object")
    options.add_argument(f"--{amount}", dest="amount", metavar="N", type=int, default=default)
    options.add_argument("--rounds", metavar="N", type=int, default=rounds)
    chosen = options.parse_args()
    configure_logs("warning", "console")
    quiet_client_logs()

    async def measured() -> dict[str, Any]:
        return await measure(chosen.amount, chosen.rounds)

    result = uvloop.run(measured())  # the loop of `wootstream run`
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    if chosen.json:
        print(orjson.dumps(result | {"machine": machine}).decode())


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """What several rounds gave: whoever measures again can tell whether he is inside."""
    of_all = {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
    return {name: round(value, digits) for name, value in of_all.items()}


def sentence(values: Sequence[float]) -> str:
    """The same for people."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f} in {len(values)} rounds)"
