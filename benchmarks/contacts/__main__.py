"""Order events into Chatwoot: the customers' consumer against the least that could be written, and what calls it takes.

order_events_vs_bare: fetch, decode, one raw upsert an event and one transaction a batch, against facts, orders, figures
and who is due, on the same records of new stores; who comes first changes from round to round. It takes a fifth of the
events a round. Then all events at once, shuffled and a tenth of them told twice, through consumer and sender to
Chatwoot's double with its limits: every contact must end as its orders say.

saved_share: calls that one for each event would have been, and were not. perfect_calls_vs_calls: a perfect sender makes
one call for each contact and quiet window in which something changed. budget_use: of the calls that the pace allows,
while more people were ready than are taken at once.
`python -m benchmarks.contacts --events 100000 --json` ends with one object.
"""

import random
import statistics
import sys
from typing import Any

import asyncpg

from benchmarks._command import ROUNDS, command, sentence, spread
from benchmarks._stack import open_stack
from benchmarks.contacts.order_rounds import BARE_TABLE, OrdersBench
from benchmarks.contacts.sending_run import SendingBench
from db.migrate import migrate
from services.kernel import Settings
from services.kernel.kafka.topics import ensure_topics
from services.kernel.run import CONSUMERS_COLLECT_AFTER, collect_seldom


async def measure(events: int, rounds: int) -> dict[str, Any]:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    collect_seldom(CONSUMERS_COLLECT_AFTER)
    async with open_stack() as (stack, folder):
        await migrate(stack.database_url)
        ours = {"http_port": 0, "data_directory": folder, "log_level": "warning", "chatwoot_private_addresses": True}
        settings = Settings.model_validate(stack.settings | ours)
        await ensure_topics(settings)
        chance = random.Random(seed)
        async with asyncpg.create_pool(stack.database_url) as admin:
            await admin.execute(BARE_TABLE)
            against = await _against_bare(OrdersBench(settings, admin, chance), events // rounds, rounds)
            sent = await _sent(SendingBench(settings, admin, chance), events)
    return {
        "name": "contacts",
        "seed": seed,
        "ratios": {name: value["median"] for name, value in against.items() if name == "order_events_vs_bare"}
        | {name: value for name, value in sent.items() if name in _RATIOS},
        "figures": against | sent,
    }


_RATIOS = ("saved_share", "perfect_calls_vs_calls", "budget_use")


async def _against_bare(bench: OrdersBench, count: int, rounds: int) -> dict[str, Any]:
    bare: list[float] = []
    ours: list[float] = []
    for number in range(rounds):
        theirs, mine = await bench.round(count, ours_first=bool(number % 2))
        bare.append(theirs)
        ours.append(mine)
        print(f"bare {theirs:,.0f} events/s   ours {mine:,.0f} events/s")
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    print(f"order events against bare: {sentence(ratios)}")
    return {
        "order_events_vs_bare": spread(ratios),
        "bare_events_per_second": spread(bare, digits=0),
        "ours_events_per_second": spread(ours, digits=0),
        "median_rate": round(statistics.median(ours)),
    }


async def _sent(bench: SendingBench, events: int) -> dict[str, Any]:
    sent = await bench.run(events)
    perfect, pace = sent.perfect_calls, bench.settings.chatwoot_calls_per_second
    use = sent.budget_use(pace)
    saved = 1 - sent.calls / sent.events
    print(
        f"{sent.events:,} events of {sent.contacts:,} contacts: {sent.calls:,} calls in {sent.seconds:.0f} s, "
        f"{saved:.1%} saved; perfect were {perfect:,}; answered 429: {sent.throttled}; wrong contacts: {sent.wrong}"
    )
    print(f"of {pace:g} calls a second, while there was a backlog: " + ("never one" if use is None else f"{use:.1%}"))
    if sent.wrong:
        sys.exit(f"{sent.wrong} contacts do not hold what their orders come to")
    return {
        "saved_share": round(saved, 3),
        "perfect_calls_vs_calls": round(perfect / sent.calls, 3),
        "budget_use": None if use is None else round(use, 3),
        "calls": sent.calls,
        "throttled": sent.throttled,
        "seconds": round(sent.seconds),
    }


if __name__ == "__main__":
    command(
        measure,
        "order events into Chatwoot: rate, calls, budget",
        amount="events",
        default=100_000,
        rounds=ROUNDS,
    )
