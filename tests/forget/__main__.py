"""`make forget`: the proof, on a stack of its own; the last line is the verdict."""

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from local.stack import resolve
from services.kernel.kafka.topics import ensure_topics
from services.kernel.settings import Settings
from services.kernel.telemetry.logs import quiet_client_logs
from tests.databases import empty_database
from tests.forget.proof import Found, prove

_LOCAL = Path(".local/test/forget")


async def _proved(mark: str) -> Found:
    async with resolve(_LOCAL / "stack", fresh=True) as stack, empty_database(stack.database_url) as url:
        with tempfile.TemporaryDirectory() as directory:
            settings = Settings.model_validate({"kafka_bootstrap_servers": stack.kafka, "http_port": 0})
            await ensure_topics(settings)
            return await prove(settings, url, Path(directory), mark, thorough=True)


def main() -> int:
    """Exit 1 when anything of her came back."""
    quiet_client_logs()
    mark = secrets.token_hex(4)
    print(f"names end in {mark}", flush=True)
    found = asyncio.run(_proved(mark))
    for moment, count in found.anna.items():
        print(f"{moment:>10}: {count.total():>3} hits of who was erased, {found.ben[moment].total():>3} of who was not"
              + (f" ({', '.join(f'{place} {hits}' for place, hits in count.items())})" if count else ""))  # fmt: skip
    print("FORGOTTEN: nothing came back" if found.forgotten else "NOT FORGOTTEN")
    return 0 if found.forgotten else 1


if __name__ == "__main__":
    sys.exit(main())
