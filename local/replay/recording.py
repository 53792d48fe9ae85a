"""A recording of a live Chatwoot: the deliveries as they arrived, and the stores they were for.

A folder holds `webhooks.jsonl` and `stores.json`, plain or compressed; a folder of such folders is read in their order.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

_WEBHOOKS = "webhooks.jsonl"
_STORES = "stores.json"
_CALLS = "api.jsonl"
# What else was recorded (bots, API inboxes, automation rules) goes to other receivers than us.
_ACCOUNT_WEBHOOK = "/hooks/"
_UNREADABLE = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recorded POST of an account webhook; the body byte for byte."""

    store: str
    delivery_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One recorded call of an account's API that Chatwoot granted; `path` within the account, without its query."""

    method: str
    path: str
    request: Any
    answer: Any


@dataclass(frozen=True, slots=True)
class RecordedStore:
    """A store as it was when recorded; without a secret its release did not sign."""

    name: str
    account_id: int
    release: str
    website_token: str
    api_access_token: str
    secret: str | None
    bot_inboxes: tuple[int, ...]


class NotARecording(Exception):
    """The folder holds no recording: one sentence for a person."""


def deliveries(folder: Path) -> list[Delivery]:
    """Every account webhook in the folder, in the order of arrival."""
    with _readable(folder):
        return [_delivery(entry) for entry in _entries(folder) if entry["path"].startswith(_ACCOUNT_WEBHOOK)]


def stores(folder: Path) -> list[RecordedStore]:
    """Every store of the folder, each once."""
    with _readable(folder):
        entries = [entry for run in _runs(folder) for entry in json.loads(_read(run, _STORES))]
        return list({entry["name"]: _store(entry) for entry in entries}.values())


def calls(folder: Path, account_id: int) -> list[RecordedCall]:
    """What was asked of this account's API, run by run."""
    within = f"/api/v1/accounts/{account_id}/"
    return [
        RecordedCall(one["method"], one["path"].removeprefix(within).partition("?")[0], one["request"], one["response"])
        for run in _runs(folder)
        for one in map(json.loads, _read(run, _CALLS).splitlines())
        if one["path"].startswith(within) and one["status"] == HTTPStatus.OK
    ]


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """A copy that was cut, or files of another kind, fail wherever they are read."""
    try:
        yield
    except _UNREADABLE as cause:
        raise NotARecording(
            f"{folder} cannot be read as a recording ({type(cause).__name__}): copy it again"
        ) from cause


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    for run in _runs(folder):
        yield from map(json.loads, _read(run, _WEBHOOKS).splitlines())


def _runs(folder: Path) -> list[Path]:
    runs = [run for run in (folder, *sorted(folder.glob("*"))) if list(run.glob(f"{_WEBHOOKS}*"))]
    if not runs:
        raise NotARecording(f"{folder} holds no {_WEBHOOKS}: give a folder with {_WEBHOOKS} and {_STORES}")
    return runs


def _read(run: Path, name: str) -> bytes:
    plain = run / name
    return plain.read_bytes() if plain.exists() else gzip.decompress((run / f"{name}.gz").read_bytes())


def _delivery(entry: dict[str, Any]) -> Delivery:
    headers = {name.lower(): value for name, value in entry["headers"]}
    return Delivery(
        store=entry["path"].removeprefix(_ACCOUNT_WEBHOOK),
        delivery_id=headers.get("x-chatwoot-delivery"),
        body=entry["body"].encode(),
    )


def _store(entry: dict[str, Any]) -> RecordedStore:
    return RecordedStore(
        name=entry["name"],
        account_id=entry["account"],
        release=entry["release"],
        website_token=entry["widget"]["website_token"],
        api_access_token=entry["token"],
        secret=entry["secret"],
        bot_inboxes=tuple(entry["bot_inboxes"]),
    )
