"""`wootstream spool`: what waits for Kafka on this machine, and what it will never have: shown, exported, discarded."""

import asyncio
import os
import sqlite3
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from db.pool import scoped
from db.records import spooled, undelivered
from services.ingress.spool import set_aside
from services.ingress.spool.set_aside import Aside, Exported, Wanted
from services.ingress.spool.status import SpoolStatus, look
from services.ingress.spool.status import status as reckon
from services.kernel import Clock, Record, Refusal, Settings
from services.kernel.actor import note
from services.kernel.cli.environment import database, environment, installed
from services.kernel.cli.terminal import Json, ask_first, not_empty, print_json, show
from services.kernel.printable import utc
from services.kernel.record import text_of
from services.kernel.sealing.opening import SealOpener, opened_records
from services.kernel.secrets import Secrets, load_secrets

app = typer.Typer(help="What the ingress accepted while Kafka was away.", no_args_is_help=True)

FileOption = Annotated[str | None, typer.Option(callback=not_empty, help="only what lies in this file")]
TopicOption = Annotated[str | None, typer.Option(callback=not_empty, help="only what was to go to this topic")]
SetAsideReasonOption = Annotated[
    str | None, typer.Option("--reason", callback=not_empty, help="only where the reason contains this")
]
_LONGEST = 200
_OPENED_TOGETHER = 100
_COLUMNS = ("records", "reason", "topic", "bytes", "oldest", "file")


@app.callback()
def _spool() -> None:
    """What the ingress accepted while Kafka was away."""


@app.command()
def status(
    seconds: Annotated[float, typer.Option(min=0.1, help="how long to watch it drain")] = 1.0,
    as_json: Json = False,
) -> None:
    """How many records wait, since when, how much room is left at the present rate, and when it will be drained.

    Below it what Kafka refuses for good: it is offered again when an ingress starts.

    Reads WOOTSTREAM_DATA_DIRECTORY/spool beside the running ingress; ask on the machine, or in the pod, where it runs.
    """
    settings = environment()
    with _reading(settings) as directory:
        found = _watch(settings, directory, seconds)
    if as_json:
        print_json(asdict(found))
        return
    show(("", ""), _lines(found))
    if found.set_aside:
        print()
        _table(found.set_aside)


@app.command()
def export(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="a new file, for your eyes only: it holds personal data")],
    file: FileOption = None,
    topic: TopicOption = None,
    reason: SetAsideReasonOption = None,
    as_json: Json = False,
) -> None:
    """Write what is set aside as lines of JSON: topic, headers, key and value (both in base64), reason, time, file.

    Nothing is taken away; discard it once it is safe elsewhere. Who exports is written down in PostgreSQL.
    """
    settings = environment()
    secrets, wanted = load_secrets(settings), Wanted(file, topic, reason)
    asyncio.run(_noted("spool export", "what is set aside"))
    done = {"exported": 0, "unreadable": 0}
    with _reading(settings) as directory, _new(to) as lines:
        parts = set_aside.exported(directory, wanted, secrets)
        while some := list(islice(parts, _OPENED_TOGETHER)):
            asyncio.run(_open([part.record for part in some if part.record and part.record.is_closed], secrets))
            for part in some:
                done["exported" if part.record else "unreadable"] += 1
                os.write(lines, orjson.dumps(_exported(part)) + b"\n")
    if as_json:
        print_json(done)
    else:
        unreadable = f"; {done['unreadable']} parts are damaged and cannot be opened" if done["unreadable"] else ""
        print(f"{done['exported']} exported to {to}{unreadable}")


@app.command()
def discard(
    file: FileOption = None,
    topic: TopicOption = None,
    reason: SetAsideReasonOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show which")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Give up for good what is set aside; the audit no longer names it, as soon as an ingress has run here.

    Who does so is written down in PostgreSQL, with a DATABASE_URL that may act as wootstream_service.

    A FILE that is not here was lost with its disk: the audit forgets what it held.
    """
    settings, wanted = environment(), Wanted(file, topic, reason)
    with _reading(settings) as directory:
        lost = file if file and not (directory / Path(file).name).exists() else None
        found = set_aside.counted(directory, wanted)
        if dry_run:
            _tell(found, lost, as_json=as_json)
            return
        if not yes:
            chosen = partial(_tell, found, lost, as_json=False)
            ask_first("Give these records up for good?", as_json=as_json, shown=chosen)
        done = asyncio.run(_forget(lost)) if lost else _discarded(directory, wanted, found)
    if as_json:
        print_json({"discarded": done})
    else:
        print(f"{done} discarded")


async def _open(records: Sequence[Record], secrets: Secrets) -> None:
    """Those that a store sealed; whose key is gone stays as it is."""
    if not records:
        return
    async with database(installed(kafka=False)) as pool, scoped(pool, {one.store for one in records}) as conn:
        await opened_records(conn, SealOpener(secrets, Clock()), records)


def _discarded(directory: Path, wanted: Wanted, found: Sequence[Aside]) -> int:
    """Who it was is written down before: what cannot be written down is not done."""
    if found:
        asyncio.run(_noted("spool discard", f"{sum(one.records for one in found)} records"))
    return set_aside.discarded(directory, wanted)


async def _noted(action: str, thing: str) -> None:
    async with database(installed(kafka=False)) as pool, pool.acquire(timeout=10) as conn, conn.transaction():
        await note(conn, action, store=None, thing=thing)


async def _forget(file: str) -> int:
    async with database(installed(kafka=False)) as pool, pool.acquire(timeout=10) as conn, conn.transaction():
        await note(conn, "spool discard", store=None, thing=f"the lost file {file}"[:_LONGEST])
        return await undelivered.forget_file(conn, file) + await spooled.forget_file(conn, file)


def _tell(found: list[Aside], lost: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif lost:
        print(f"{lost} is not here: what the audit says of it will be forgotten")
    else:
        _table(found, f"{sum(one.records for one in found)} records")


@contextmanager
def _reading(settings: Settings) -> Iterator[Path]:
    """The directory of the spools. Raises Refusal where there is none, or one cannot be read."""
    directory = settings.data_directory / "spool"
    if not directory.is_dir():
        raise Refusal(f"there is no spool in {directory}: no ingress ran with this WOOTSTREAM_DATA_DIRECTORY")
    try:
        yield directory
    except sqlite3.DatabaseError as error:
        raise Refusal(
            f"a spool in {directory} cannot be read ({error}): ask as the user that runs the ingress"
        ) from error


@contextmanager
def _new(path: Path) -> Iterator[int]:
    """A file that nobody else may read. Raises Refusal."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Refusal(f"{path} cannot be made ({error.strerror}): name a file that does not exist") from error
    try:
        yield descriptor
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exported(part: Exported) -> dict[str, Any]:
    place = {"file": part.file, "reason": part.reason, "accepted_at": _moment(part.accepted_at)}
    if part.record is None:
        return place
    return place | {
        "topic": part.record.topic,
        "key": None if part.record.key is None else b64encode(part.record.key).decode(),
        "value": b64encode(part.record.value).decode(),
        "headers": [(name, text_of(value)) for name, value in part.record.headers],
    }


def _watch(settings: Settings, directory: Path, seconds: float) -> SpoolStatus:
    clock = Clock()
    before = look(directory, {}, now=clock.now().timestamp())
    began = clock.monotonic()
    time.sleep(seconds)
    now = clock.now().timestamp()
    after = look(directory, before, now=now)
    took = clock.monotonic() - began
    asides = set_aside.counted(directory, Wanted())
    return reckon(directory, before, after, asides, now=now, seconds=took, cap_bytes=settings.spool_bytes)


def _table(found: Sequence[Aside], footer: str = "") -> None:
    show(_COLUMNS, [
        (one.records, one.reason, one.topic or "(damaged)", one.bytes, utc(_moment(one.oldest_at)), one.file)
        for one in found
    ], footer=footer)  # fmt: skip


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _lines(found: SpoolStatus) -> list[tuple[str, str]]:
    oldest, left, drained = found.oldest_seconds, found.hours_left, found.drained_in_seconds
    return [
        ("records waiting", f"{found.records:,}" + (f", {found.refused} set aside" if found.refused else "")),
        ("oldest", f"{oldest:,.0f} s ago" if oldest is not None else "none"),
        ("room used", f"{found.used_bytes / 1e6:,.1f} of {found.limit_bytes / 1e6:,.0f} MB"),
        ("room left", f"for {left:,.1f} h at the rate of now" if left is not None else "it does not grow"),
        ("drained", _drained(found, drained)),
    ]


def _drained(found: SpoolStatus, seconds: float | None) -> str:
    if not found.records:
        return "all of it"
    if seconds is None:
        return "not now: Kafka is away, or no ingress runs here"
    return f"in about {seconds:,.0f} s, {found.drains_records_per_second:,.0f} records a second"


def add_to(root: typer.Typer) -> None:
    """`wootstream spool …`."""
    root.add_typer(app, name="spool")
