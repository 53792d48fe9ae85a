"""A benchmark's command line: how much, how often, and the one object that scripts read."""

import argparse
import os
import platform
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import uvloop

from services.kernel.telemetry.logs import configure_logs, quiet_client_logs

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
