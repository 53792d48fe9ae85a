"""One webhook followed by its id: one grep over the logs of its processes, as operations.md shows."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest

from db.pool import Pool
from schemas import topics
from services.kernel import Settings
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.newest import begin_at_the_end
from tests.recordings.recorded import account_webhooks
from tests.services.ingress.bench import open_shop, signed
from tests.services.ingress.running import Running, running

_PERSONAL = ("jane", "@", "+31")


async def grep(folder: Path, text: str) -> list[dict[str, object]]:
    """`grep -rh TEXT FOLDER`, the lines read and in the order of their time."""
    found = await asyncio.create_subprocess_exec(
        "grep", "-rhF", text, str(folder), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await found.communicate()
    return sorted((orjson.loads(line) for line in out.splitlines()), key=lambda line: str(line["timestamp"]))


@pytest.mark.usefixtures("topics")
async def test_one_grep_by_the_request_shows_a_webhook_from_the_door_to_its_rows(
    settings: Settings, admin_pool: Pool, tmp_path: Path
) -> None:
    recorded = next(one for one in account_webhooks("chatwoot-4.13.0") if one.event == "message_created")
    body = orjson.loads(recorded.body)
    shop = await open_shop(admin_pool, settings, account_id=body["account"]["id"])
    groups = dict.fromkeys(("conversations", "contacts"), topics.WEBHOOKS)
    await begin_at_the_end(settings, admin_pool, groups)
    request, quiet = uuid.uuid4().hex, uuid.uuid4().hex

    async with AsyncExitStack() as processes:

        async def start(name: str, **more: str) -> Running:
            folder = tmp_path / f"{name}-{'on' if more else 'off'}"
            folder.mkdir()
            return await processes.enter_async_context(running(settings, folder, name, **more))

        silent = await start("ingress")
        ours = await start("ingress", WOOTSTREAM_FOLLOW_RECORDS="1")
        for name in groups:
            await start(name, WOOTSTREAM_FOLLOW_RECORDS="1")
        headers = signed(shop, recorded.body, at=datetime.now(UTC))
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            for address, called in ((silent.address, quiet), (ours.address, request)):
                answer = await client.post(
                    address + shop.door, content=recorded.body, headers={**headers, "x-request-id": called}
                )
                assert answer.status_code == 204

        async def all_told() -> bool:
            return len(await grep(tmp_path, request)) >= 3

        await eventually(all_told)
        lines = await grep(tmp_path, request)
        [accepted] = [line for line in lines if line["event"] == "record_accepted"]
        by_record = await grep(tmp_path, str(accepted["record"]))

    assert lines[0] == accepted
    steps = {line.get("group"): line["outcome"] for line in lines if line["event"] == "record_settled"}
    assert steps["conversations"] in ("applied", "duplicate")  # the body came by the other door, too
    assert steps["contacts"] in ("applied", "duplicate", "ignored")
    assert by_record == lines
    for line in lines:
        assert (line["store"], line["subject"]) == (str(shop.id), f"conversation:{body['conversation']['id']}")
        assert not any(word in orjson.dumps(line).decode().lower() for word in _PERSONAL)
    # What is switched off says nothing, and puts nothing into the topic.
    assert await grep(tmp_path, quiet) == []
    for line in lines:
        print(orjson.dumps(line).decode())
