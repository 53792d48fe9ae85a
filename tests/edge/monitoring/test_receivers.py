"""Whom deploy/setup was told to tell is told by the real Alertmanager, started as its container starts it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from local.stack.machine.ports import HOST, free_ports
from tests.clients.clients import Absent, tool
from tests.edge.upstream import hearing, listening
from tests.eventually import eventually

_START = Path(__file__).parents[3] / "deploy/alertmanager/start"
_ALERT = {
    "labels": {"alertname": "SpoolIsInUse", "severity": "page", "promise": "P1"},
    "annotations": {"summary": "it's in use", "runbook": "docs/runbooks/SpoolIsInUse.md"},
}


@asynccontextmanager
async def mail_server(mails: list[str]) -> AsyncIterator[str]:
    """host:port of one that takes every mail, as RFC 5321 has it, and offers nothing more."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        try:
            while line := (await reader.readline()).strip():
                if line.upper() == b"DATA":
                    writer.write(b"354 go on\r\n")
                    mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"221 bye\r\n" if line.upper() == b"QUIT" else b"250 ok\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async with listening(take) as address:
        yield address


@asynccontextmanager
async def alertmanager(folder: Path, **said: str) -> AsyncIterator[str]:
    """Its address, with these lines of .env. Raises Absent."""
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "alertmanager").symlink_to(tool("prometheus-alertmanager", "prometheus-alertmanager"))
    (port,) = free_ports(1)
    path = f"{binaries}:{os.environ['PATH']}"
    environment = {"PATH": path, "SECRETS": str(folder), "RENDERED": str(folder / "made.yml"), **said}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            _START, f"--storage.path={folder}/kept", f"--web.listen-address={HOST}:{port}", "--cluster.listen-address=",
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_mail_slack_and_webhook_are_told_at_once_of_what_must_be_paged(tmp_path: Path) -> None:
    mails, told = list[str](), dict[str, bytes]()
    async with (
        mail_server(mails) as server,
        hearing(told.__setitem__) as address,
        httpx.AsyncClient(timeout=30) as client,
    ):
        (tmp_path / "alert_slack_url").write_text(f"http://{address}/slack\n")
        (tmp_path / "alert_webhook_url").write_text(f"http://{address}/it's-a-secret\n")
        mail = {"ALERT_MAIL_TO": "a@x.example, b@x.example", "ALERT_MAIL_SERVER": server, "ALERT_MAIL_PLAIN": "1"}
        try:
            async with alertmanager(tmp_path, **mail, ALERT_MAIL_FROM="w@x.example") as base:
                await eventually(lambda: _posted(client, base))
                await eventually(lambda: len(told) == 2 and bool(mails))
        except Absent as absent:
            pytest.skip(str(absent))

    assert "it's in use (docs/runbooks/SpoolIsInUse.md)" in json.loads(told["/slack"])["attachments"][0]["text"]
    assert json.loads(told["/it's-a-secret"])["alerts"][0]["labels"] == _ALERT["labels"]
    assert "SpoolIsInUse" in mails[0]
    assert "b@x.example" in mails[0]
    assert (tmp_path / "made.yml").stat().st_mode & 0o077 == 0


async def _posted(client: httpx.AsyncClient, base: str) -> bool:
    try:
        return (await client.post(f"{base}/api/v2/alerts", json=[_ALERT])).is_success
    except httpx.HTTPError:
        return False
