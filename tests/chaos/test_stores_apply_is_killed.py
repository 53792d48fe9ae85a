"""`wootstream stores apply` is killed again and again: every store is in Chatwoot once, and then nothing changes."""

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import yaml

from db.pool import Pool
from local.chatwoot.app import serving
from services.kernel import Settings
from tests.chaos.processes import environment
from tests.eventually import PATIENCE_SECONDS
from tests.services.control.stores.chatwoots import chatwoot
from tests.services.control.stores.test_apply import assert_whole, rows, some

_LONG_ROUND = 20
_MANY, _FEW = 50, 2


async def _apply(settings: Settings, path: Path, token: str, *, seconds: float | None) -> tuple[int, Any]:
    """Its exit code and answer; killed after so long, if it has not ended before."""
    more = {
        "WOOTSTREAM_CHATWOOT_PRIVATE_ADDRESSES": "1",
        "WOOTSTREAM_CHATWOOT_CALLS_PER_SECOND": "1000",
        "PLATFORM_TOKEN": token,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli", "stores", "apply", str(path), "--json",
        stdout=asyncio.subprocess.PIPE, env=environment(settings, **more),
    )  # fmt: skip
    ending = asyncio.ensure_future(process.communicate())
    await asyncio.wait([ending], timeout=seconds or PATIENCE_SECONDS * 3)
    if not ending.done():
        process.kill()
    out, _ = await ending
    return process.returncode or 0, orjson.loads(out) if out else None


async def test_stores_are_there_once(settings: Settings, admin_pool: Pool, tmp_path: Path, kills: int) -> None:
    deaths, stores = (_LONG_ROUND, _MANY) if kills >= _LONG_ROUND else (min(kills, 2), _FEW)
    entries = some(stores)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, double = random.Random(seed), chatwoot()
    path = tmp_path / "stores.yaml"
    async with serving(double) as address:
        servers = {"main": {"base_url": address, "platform_token": "env:PLATFORM_TOKEN"}}
        path.write_text(yaml.safe_dump({"chatwoots": servers, "stores": entries}))
        token = double.state.platform_token
        begun = time.monotonic()
        await _apply(settings, path, token, seconds=None if not deaths else chance.uniform(0.5, 2))
        start = time.monotonic() - begun
        for _ in range(deaths - 1):
            await _apply(settings, path, token, seconds=start + chance.uniform(0.2, 2))
        code, answers = await _apply(settings, path, token, seconds=None)
        assert (code, [one["slug"] for one in answers if "error" in one]) == (0, [])
        assert_whole(settings, double, entries, await rows(admin_pool, entries))
        begun = time.monotonic()
        code, answers = await _apply(settings, path, token, seconds=None)
    print(f"{len(entries)} stores: a second apply in {time.monotonic() - begun:.1f} s")
    assert (code, [one["changes"] for one in answers]) == (0, [[] for _ in entries])
