"""The recordings of live Chatwoot servers: webhooks as they arrived, and what its own database held afterwards."""

import gzip
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import orjson

import local

DATA = Path(local.__file__).parent / "recordings"
RUNS = ("chatwoot-4.13.0", "chatwoot-4.13.0-bots", "chatwoot-3.16.0")
ALL_RUNS = (*RUNS, "chatwoot-4.13.0-extras")


@dataclass(frozen=True)
class Delivery:
    """One recorded POST."""

    received_at: float
    path: str
    headers: dict[str, str]
    body: bytes
    event: str

    @property
    def store(self) -> str:
        return self.path.removeprefix("/hooks/")


@dataclass(frozen=True)
class Call:
    """One recorded call of Chatwoot's API; `path` with its query, `request` is None where none was sent."""

    step: str
    sent_at: float
    method: str
    path: str
    request_headers: dict[str, str]
    request: Any
    status: int
    response: Any


@cache
def deliveries(run: str) -> tuple[Delivery, ...]:
    """All deliveries of a run, in the order of arrival."""
    return tuple(_delivery(line) for line in _lines(run, "webhooks.jsonl"))


def calls(run: str) -> list[Call]:
    """All calls of a run, in the order in which they were sent."""
    names = [field.name for field in fields(Call)]
    entries = [orjson.loads(line) for line in _lines(run, "api.jsonl")]
    return sorted((Call(**{name: e[name] for name in names}) for e in entries), key=lambda call: call.sent_at)


def account_webhooks(run: str) -> list[Delivery]:
    """What the stores' own webhooks got."""
    return [delivery for delivery in deliveries(run) if delivery.path.startswith("/hooks/")]


@cache
def stores(run: str) -> tuple[dict[str, Any], ...]:
    """The stores of a run, with account id, release and the inboxes that have a bot."""
    return tuple(orjson.loads(gzip.decompress((DATA / run / "stores.json.gz").read_bytes())))


@cache
def reports(run: str) -> dict[str, Any]:
    """Chatwoot's own report answers."""
    answers: dict[str, Any] = orjson.loads(gzip.decompress((DATA / run / "reports.json.gz").read_bytes()))
    return answers


@cache
def rows(run: str, table: str, account: int) -> tuple[dict[str, Any], ...]:
    """What Chatwoot's own table held for an account."""
    entries = [orjson.loads(line) for line in _lines(run, "rows.jsonl")]
    return tuple(e["row"] for e in entries if e["table"] == table and e["row"]["account_id"] == account)


def disordered(run: str, order: str) -> list[Delivery]:
    """The account webhooks "recorded", "reversed", or shuffled by the seed that `order` is, 30 % of them repeated."""
    given = account_webhooks(run)
    if order == "recorded":
        return given
    if order == "reversed":
        return given[::-1]
    chance = random.Random(int(order))
    return shuffled_with_repeats(given, chance)


def shuffled_with_repeats(given: Sequence[Delivery], chance: random.Random) -> list[Delivery]:
    """All of them in a random order, 30 % of them twice."""
    mixed = [*given, *chance.sample(list(given), k=len(given) * 3 // 10)]
    chance.shuffle(mixed)
    return mixed


def _lines(run: str, name: str) -> Iterable[bytes]:
    return gzip.decompress((DATA / run / f"{name}.gz").read_bytes()).splitlines()


def _delivery(line: bytes) -> Delivery:
    entry = orjson.loads(line)
    body = entry["body"].encode()
    headers = {name.lower(): value for name, value in entry["headers"]}
    return Delivery(entry["received_at"], entry["path"], headers, body, orjson.loads(body)["event"])
