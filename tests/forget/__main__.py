"""`make forget`: the proof, on a stack of its own; the last line is the verdict."""

import asyncio
import os
import secrets
import sys
import tempfile
from pathlib import Path

from local.stack import resolve
from services.kernel.kafka.topics import ensure_topics
from services.kernel.settings import Settings
from services.kernel.telemetry.logs import quiet_client_logs
from tests.databases import empty_database
from tests.forget.kills import MOMENTS, Kill, killed, killed_whenever
from tests.forget.proof import Found, prove
from tests.forget.scene import scene_on

_LOCAL = Path(".local/test/forget")


async def _proved(mark: str, kills: int) -> tuple[Found, Found, list[tuple[str, str, int]], list[Kill]]:
    async with resolve(_LOCAL / "stack", fresh=True) as stack, empty_database(stack.database_url) as url:
        with tempfile.TemporaryDirectory() as directory:
            settings = Settings.model_validate({"kafka_bootstrap_servers": stack.kafka, "http_port": 0})
            await ensure_topics(settings)
            found = await prove(settings, url, Path(directory), mark, thorough=True)
            async with empty_database(stack.database_url) as another:
                sealed = await prove(settings, another, Path(directory), f"{mark}s", thorough=False, seal=True)
            async with empty_database(stack.database_url) as another:
                scene = await scene_on(settings, another, Path(directory), seal=True)
                at_steps = await killed(scene, MOMENTS, mark)
                return found, sealed, at_steps, await killed_whenever(scene, kills, int(mark, 16), f"w{mark}")


def main() -> int:
    """Exit 1 when anything of her came back. KILLS=n: so many erasures are killed whenever; 50 without it."""
    quiet_client_logs()
    mark = secrets.token_hex(4)
    print(f"names end in {mark}", flush=True)
    found, sealed, kills, whenever = asyncio.run(_proved(mark, int(os.environ.get("KILLS", "50"))))
    for moment, count in found.anna.items():
        print(f"{moment:>10}: {count.total():>3} hits of who was erased, {found.ben[moment].total():>3} of who was not"
              + (f" ({', '.join(f'{place} {hits}' for place, hits in count.items())})" if count else ""))  # fmt: skip
    print(f"a store that seals: {sealed.shown} hits in its topics' bytes; of hers some key opens: {sealed.openable}")
    print("yesterday: dumped by pg_dump, put back by pg_restore" if found.by_dump
          else "SKIPPED 1: no pg_dump that knows this server; yesterday was a copy")  # fmt: skip
    unfinished = [kill for kill in kills if kill[2]]
    print(
        f"{len(kills)} erasures killed, each step as it begins and before it commits: not finished right: {unfinished}"
    )
    lost = [kill for kill in whenever if kill.hits]
    stood = sorted({kill.steps for kill in whenever})
    print(f"{len(whenever)} erasures killed whenever, with {stood} steps done: not finished right: {lost}")
    forgotten = found.forgotten and sealed.forgotten and not unfinished and not lost
    print("FORGOTTEN: nothing came back" if forgotten else "NOT FORGOTTEN")
    return 0 if forgotten else 1


if __name__ == "__main__":
    sys.exit(main())
