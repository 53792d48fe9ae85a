"""Recordings are read as they are, and sent as Chatwoot itself would send them."""

import asyncio
import gzip
import json
from pathlib import Path

import httpx
import pytest

from local.replay import recording, replay
from local.replay.pace import at_rate
from local.replay.recording import Delivery, NotARecording
from local.replay.webhook_sender import StoreDoor, WebhookSender, accepted, sign
from services.kernel.clock import Clock
from services.kernel.errors import Refusal
from tests.recordings.recorded import ALL_RUNS, DATA, account_webhooks


def answering(status: int, seen: list[httpx.Request]) -> httpx.AsyncClient:
    """A client whose server answers every request so, and keeps it."""

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://door")


@pytest.mark.parametrize("run", ALL_RUNS)
def test_every_account_webhook_of_a_run_is_read_byte_for_byte(run: str) -> None:
    found = recording.deliveries(DATA / run)

    assert [one.body for one in found] == [one.body for one in account_webhooks(run)]


def test_folder_of_runs_is_read_whole_and_each_store_once() -> None:
    assert len(recording.deliveries(DATA)) == sum(len(recording.deliveries(DATA / run)) for run in ALL_RUNS)
    assert sorted(store.name for store in recording.stores(DATA)) == [
        "amsel-nord", "amsel-sued", "kleiber-nord", "kleiber-sued", "meise-nord", "meise-sued",
    ]  # fmt: skip


def test_plain_files_are_read_like_compressed_ones(tmp_path: Path) -> None:
    for name in ("webhooks.jsonl", "stores.json"):
        packed = (DATA / "chatwoot-3.16.0" / f"{name}.gz").read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(packed))

    assert recording.deliveries(tmp_path) == recording.deliveries(DATA / "chatwoot-3.16.0")
    assert {store.secret for store in recording.stores(tmp_path)} == {None}


def test_folder_without_a_recording_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotARecording, match=r"holds no webhooks\.jsonl"):
        recording.deliveries(tmp_path)


def test_signature_equals_the_recorded_one_at_the_recorded_timestamp() -> None:
    run = DATA / "chatwoot-4.13.0"
    secrets = {store.name: store.secret or "" for store in recording.stores(run)}
    sent = account_webhooks("chatwoot-4.13.0")

    signed = [sign(secrets[one.store], one.headers["x-chatwoot-timestamp"], one.body) for one in sent]

    assert signed == [one.headers["x-chatwoot-signature"] for one in sent]


async def test_refused_and_unanswered_deliveries_are_counted_and_not_repeated() -> None:
    seen: list[httpx.Request] = []
    sender = WebhookSender(answering(401, seen), {"nl": StoreDoor("nl", secret="s")}, Clock())

    await sender.send(Delivery("nl", "some-id", b"{}"))

    assert dict(sender.answers) == {401: 1}
    assert accepted(sender.answers) == 0
    assert [request.headers["x-chatwoot-delivery"] for request in seen] == ["some-id"]


async def test_unsigned_store_is_reached_by_the_secret_in_its_path() -> None:
    seen: list[httpx.Request] = []
    sender = WebhookSender(answering(204, seen), {"de": StoreDoor("de", path_token="p4th")}, Clock())

    await sender.send(Delivery("de", None, json.dumps({"event": "x"}).encode()))

    assert seen[0].url.path == "/webhooks/chatwoot/de/p4th"
    assert "x-chatwoot-signature" not in seen[0].headers


async def test_items_stop_when_the_time_is_up() -> None:
    done: list[int] = []
    until = asyncio.Event()

    async def act(item: int) -> None:
        done.append(item)
        if item == 40:
            until.set()

    await asyncio.wait_for(at_rate(range(1, 10**9), act, per_second=None, until=until), 10)

    assert done[:40] == list(range(1, 41))
    assert len(done) < 100


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("webhooks.jsonl", b'{"path": "/hooks/nl", "headers": [], "bo'),
        ("webhooks.jsonl", b"\xa0\x00"),
        ("webhooks.jsonl", b"[1, null]"),
        # It stands in the test's name, which is to be the same in each worker, whenever that imports this.
        ("webhooks.jsonl.gz", gzip.compress(b"{}", mtime=0)[:-4]),
        ("stores.json", b"[{}]"),
        ("stores.json", b"{"),
        ("stores.json", b"null"),
    ],
    ids=repr,
)
def test_a_recording_that_was_cut_or_is_something_else_is_told_by_its_folder(
    name: str, content: bytes, tmp_path: Path
) -> None:
    if not name.startswith("webhooks"):
        (tmp_path / "webhooks.jsonl").write_bytes(b"")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NotARecording, match="cannot be read as a recording"):
        _ = (recording.deliveries(tmp_path), recording.stores(tmp_path))


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999", "http://[::1", "door"])
async def test_an_ingress_whose_address_is_none_is_a_sentence(url: str) -> None:
    with pytest.raises(Refusal, match="has a host or a port that is none"):
        await replay.post(url, {}, [], replay.Plan(1), lambda: None)
