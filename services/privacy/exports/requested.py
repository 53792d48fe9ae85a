"""A request to see what is held: asked, made and sealed by the service, fetched by an operator, which settles it."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from db import stores
from db.pool import PRIVACY, Row, scoped
from db.privacy import requests
from services.kernel import Process, Refusal, Sealed
from services.kernel.actor import note
from services.kernel.every import each
from services.privacy.asking import Asked, asked_in
from services.privacy.exports.files import ExportFiles
from services.privacy.exports.holdings_file import Holdings, counts, gather, packed, written_private

KINDS = ("access", "portability")
DEADLINE = timedelta(days=30)  # one month, GDPR art. 12 (3)
_KEPT_DAYS = 7  # where the store does not say otherwise
_IS_WRITTEN = timedelta(hours=1)  # by then its row has the key


async def ask(process: Process, store: UUID, asked: Asked) -> UUID:
    """Have it made by the service; the request's number."""
    request, now = uuid4(), process.clock.now()
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        await requests.add(conn, store, request, kind="access", source="verb", asked_at=now, deadline=now + DEADLINE,
                           subject=asked.sealed(process.secrets, store))  # fmt: skip
        await note(
            conn, "privacy export", store=store, thing=f"request {request} for a person by {asked.names[0].kind}"
        )
    return request


async def export(process: Process, store: UUID, asked: Asked, to: Path) -> dict[str, int]:
    """At once, into the operator's file; nothing stays here. Rows by part. Raises Refusal, Retryable."""
    _, held = await gather(process, store, *asked.names, include_chat=asked.include_chat)
    request, now, by = uuid4(), process.clock.now(), asked.names[0].kind
    with written_private(to, packed(held)):
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await requests.add(conn, store, request, kind="access", source="verb", asked_at=now,
                               deadline=now + DEADLINE, subject=None)  # fmt: skip
            await requests.step_done(conn, store, request, "exported", counts(held))
            await requests.move(conn, store, request, "done")
            await note(conn, "privacy export", store=store, thing=f"request {request}, a person by {by}")
    return counts(held)


async def make(process: Process, row: Row) -> None:
    """Seal it on this disk until it is fetched. Raises Retryable while Chatwoot cannot tell the chats, Sealed."""
    store, request = row["organization_id"], row["id"]
    held = await _gathered(process, store, row)
    key = _files(process).write(store, request, packed(held))
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        now = await requests.one(conn, store, request)
        if now is None or now["state"] != "asked":  # refused or fetched meanwhile
            _files(process).remove(store, request)
            return
        await requests.step_done(conn, store, request, "exported", counts(held))
        await requests.made(conn, store, request, key, process.clock.now())


async def take(process: Process, store: UUID, request: UUID, to: Path) -> bool:
    """Write it where the operator says, and settle the request. Raises Refusal, Retryable, Sealed.

    Whether it was made anew for that: where none was made yet, or it lay too long or on another machine."""
    files = _files(process)
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        row = await requests.one(conn, store, request)
    if row is None or row["kind"] not in KINDS:
        raise Refusal(
            f"this store has no request {request} to see what is held: `wootstream privacy requests` lists them"
        )
    if row["state"] in ("done", "refused"):
        raise Refusal(f"request {request} is {row['state']} already: `wootstream privacy export` asks again")
    content = _opened(files, row)
    anew = content is None
    if content is None:
        content = packed(await _gathered(process, store, row))
    with written_private(to, content):
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await note(conn, "privacy fetch", store=store, thing=f"request {request}")
            await requests.step_done(conn, store, request, "fetched", {"made anew": anew})
            await requests.move(conn, store, request, "done")
    files.remove(store, request)
    return anew


async def forget_old(process: Process) -> bool:
    """For `every`, on every machine: what nobody fetched within its time is destroyed; the request stays open.

    The row forgets its key, and a file goes whose key is forgotten."""
    now, files = process.clock.now(), _files(process)

    async def forget(store: UUID) -> None:
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            await requests.forget_keys(conn, store, now, days=_KEPT_DAYS)

    await each(await stores.all_ids(process.pool(PRIVACY)), forget)
    for store, request in files.written_before(now - _IS_WRITTEN):
        async with scoped(process.pool(PRIVACY), {store}) as conn:
            row = await requests.one(conn, store, request)
        if row is None or row["export_key"] is None:
            files.remove(store, request)
    return False


async def _gathered(process: Process, store: UUID, row: Row) -> Holdings:
    asked = asked_in(process.secrets, store, row["subject"])
    try:
        return (await gather(process, store, *asked.names, include_chat=asked.include_chat))[1]
    except Refusal:  # more chats than a file should hold: the rest is theirs all the same
        return (await gather(process, store, *asked.names))[1]


def _opened(files: ExportFiles, row: Row) -> bytes | None:
    if row["export_key"] is None:
        return None
    try:
        return files.read(row["organization_id"], row["id"], row["export_key"])
    except Sealed:  # the installation's key was replaced since
        return None


def _files(process: Process) -> ExportFiles:
    return ExportFiles(process.settings.data_directory, process.secrets)
