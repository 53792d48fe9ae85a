"""What a call to one Chatwoot costs beside idle connections to many others, over what it costs without any.

Processor time of this process, which is our client's and, the same in both, that of a server which answers at once.
`python -m benchmarks.contacts.chatwoot_calls --json` ends with one object.
"""

import time
from typing import Any

from prometheus_client import CollectorRegistry

from benchmarks._command import ROUNDS, command, sentence, spread
from services.kernel import Chatwoot, Clock, Settings
from tests.answering import keeping_open

_CALLS = 300
_WITHOUT_A_PACE = 1_000_000.0


async def measure(others: int, rounds: int) -> dict[str, Any]:
    """Alternate the two; each call is waited for before the next."""
    alone: list[float] = []
    beside: list[float] = []
    async with keeping_open(1 + others) as servers:
        for number in range(rounds):
            for kept, known in ((alone, servers[:1]), (beside, servers))[:: -1 if number % 2 else 1]:
                kept.append(await _a_call(known))
            print(f"alone {alone[-1] * 1e3:.2f} ms   beside {others} others {beside[-1] * 1e3:.2f} ms")
    ratios = [much / little for much, little in zip(beside, alone, strict=True)]
    print(f"beside {others} others against alone: {sentence(ratios)}")
    return {"name": "chatwoot_calls", "figures": {"beside_others_vs_alone": spread(ratios)}}


async def _a_call(servers: list[str]) -> float:
    """Seconds of processor time that one to the first of them takes, once all were called."""
    settings = Settings(chatwoot_calls_per_second=_WITHOUT_A_PACE, chatwoot_private_addresses=True)
    chatwoot = Chatwoot(settings, Clock(), CollectorRegistry())
    try:
        for server in [*servers[1:], servers[0]]:
            await _call(chatwoot, server)
        begun = time.process_time()
        for _ in range(_CALLS):
            await _call(chatwoot, servers[0])
        return (time.process_time() - begun) / _CALLS
    finally:
        await chatwoot.close()


async def _call(chatwoot: Chatwoot, server: str) -> None:
    await chatwoot.call(server, "GET", "/api/v1/accounts/3/contacts/1", token="t")  # noqa: S106  # nobody's


if __name__ == "__main__":
    command(measure, __doc__.splitlines()[0], amount="others", default=100, rounds=ROUNDS)
