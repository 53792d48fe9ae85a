"""`wootstream privacy …`: find, erase, export, fetch, refuse, hold, requests, record, resume, replay."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args
from uuid import UUID

import typer

from db.pool import PRIVACY, scoped
from db.privacy import column_comments
from db.privacy import requests as table
from services.kernel import Process, Refusal, Retryable, Sealed
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.forgetting.subjects import Pseudonyms
from services.kernel.preflight import check_keys
from services.kernel.printable import printable, utc
from services.privacy import processing_record, store_erasure, worker
from services.privacy.asking import Asked
from services.privacy.erasures import erasure
from services.privacy.erasures.contact_removal import InChatwoot
from services.privacy.exports import requested
from services.privacy.who import PersonNames, find, meant

app = typer.Typer(no_args_is_help=True, help="What people may ask of a store: to see, to take along, to be forgotten.")
StoreName = Annotated[str, typer.Argument(help="the store's short name")]
Who = Annotated[
    str, typer.Argument(help="customer:ID, email:…, phone:…, contact:ID or session:ID; without: what it looks like")
]
T = TypeVar("T")


def add_to(root: typer.Typer) -> None:
    """Register the verbs of this service."""
    root.add_typer(app, name="privacy")


@app.command(name="find")
def find_(store: StoreName, who: Who, as_json: Json = False) -> None:
    """Every name of a person in a store; that somebody looked is written down."""

    async def found(process: Process, organization: UUID) -> PersonNames:
        async with scoped(process.pool(PRIVACY), {organization}) as conn:
            await note(conn, "privacy find", store=organization, thing=f"a person by {meant(who).kind}")
            return await find(conn, organization, meant(who))

    _show_person(with_store(store, found), as_json=as_json)


@app.command()
def erase(
    store: StoreName,
    who: Who,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show whom it would be about")] = False,
    in_chatwoot: Annotated[str, typer.Option(help=f"their contact: {', '.join(get_args(InChatwoot))}")] = "delete",
    as_json: Json = False,
) -> None:
    """Forget a person; exit 1 while a step waits, which then goes on by itself.

    What was received about them before is never applied again, whatever is replayed, redriven, drained or put back."""
    if in_chatwoot not in get_args(InChatwoot):
        raise Refusal(f"their contact can be: {', '.join(get_args(InChatwoot))}")
    asked = meant(who)
    if dry_run:
        _show_person(with_store(store, lambda process, id_: erasure.look(process, id_, asked)), as_json=as_json)
        return

    async def erased(process: Process, organization: UUID) -> tuple[UUID, dict[str, str]]:
        begun = await erasure.begin(process, organization, asked, in_chatwoot=cast("InChatwoot", in_chatwoot))
        return begun.request, await erasure.carry_on(begun)

    request, waiting = with_store(store, erased)
    _tell([(str(request), waiting)], as_json=as_json)


@app.command()
def export(
    store: StoreName,
    who: Who,
    to: Annotated[
        Path | None, typer.Option(help="the ZIP to write now; without, the service makes it, for `privacy fetch`")
    ] = None,
    include_chat: Annotated[
        bool, typer.Option("--include-chat", help="also their chats, as Chatwoot has them now")
    ] = False,
    as_json: Json = False,
) -> None:
    """All that is held of a person, to read and to take along; that it was exported is written down.

    Without --to it is a request with its deadline: the service seals the export on its disk until it is fetched, and
    destroys it after 7 days."""
    asked = Asked((meant(who),), include_chat=include_chat)
    if to is None:
        request = with_store(store, lambda process, id_: requested.ask(process, id_, asked))
        later = f"request {request}: `wootstream privacy fetch {store} {request}` takes it"
        _told({"request": str(request)}, later, as_json=as_json)
        return
    try:
        counts = with_store(store, lambda process, id_: requested.export(process, id_, asked, to))
    except Retryable as reason:
        raise Refusal(
            f"the chats cannot be read now ({reason}): say the same again later, or without chats"
        ) from reason
    if as_json:
        print_json({"file": str(to), "rows": counts})
        return
    held = "" if counts else "nothing is held of anybody by that name (`privacy find`); "
    show(("part", "rows"), list(counts.items()),
         footer=f"{held}written to {to}, for you alone: send it safely, and delete it")  # fmt: skip


@app.command()
def fetch(
    store: StoreName,
    request: Annotated[UUID, typer.Argument(help="its number, as `privacy requests` shows it")],
    to: Annotated[Path, typer.Option(help="the ZIP to write; not there yet")],
    as_json: Json = False,
) -> None:
    """Take an export that was asked for: that settles the request, and is written down."""
    try:
        anew = with_store(store, lambda process, id_: requested.take(process, id_, request, to))
    except Retryable as reason:
        raise Refusal(f"request {request} cannot be answered now ({reason}): say the same again later") from reason
    except Sealed as reason:
        raise Refusal(
            f"request {request} cannot be answered ({reason}): put that key behind the others, see `wootstream keys "
            "list`; if it is lost, `privacy refuse` this one and `privacy export` anew"
        ) from reason
    _told({"file": str(to), "made_anew": anew}, f"written to {to}, for you alone: send it safely, and delete it",
          as_json=as_json)  # fmt: skip


@app.command()
def hold(
    store: StoreName,
    who: Who,
    reason: Annotated[str | None, typer.Option(help="why the law bids to keep this person's data")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="it no longer does")] = False,
) -> None:
    """Refuse erasures of a person, with the reason."""
    if bool(reason) == lift:
        raise Refusal("say either --reason or --lift")

    async def held(process: Process, organization: UUID) -> int:
        async with scoped(process.pool(PRIVACY), {organization}) as conn:
            person = await find(conn, organization, meant(who))
            pseudonyms = Pseudonyms(process.secrets)
            digests = [digest for one in person.subjects for digest in pseudonyms.of(organization, one)]
            await note(conn, "privacy hold" + (" --lift" if lift else ""), store=organization, thing=reason or "lifted")
            if lift:
                return await table.lift(conn, organization, digests)
            await table.hold(conn, organization, digests, reason or "")
            return len(digests)

    names = with_store(store, held)
    print(f"{names} names are held no longer" if lift else f"{names} names are held: {printable(reason or '')}")


@app.command()
def requests(
    store: Annotated[str | None, typer.Argument(help="the store's short name; left out: every store")] = None,
    most: Annotated[int, typer.Option("--max", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """What people asked of a store, until when, and what is done of it; never who they are."""

    async def listed(process: Process) -> list[dict[str, Any]]:
        named = {id_: slug for slug, id_ in (await stores_named(process.pool(), store)).items()}
        async with scoped(process.pool(PRIVACY), named) as conn:
            return [{"store": named[row["organization_id"]], **row} for row in await table.listed(conn, limit=most)]

    rows = asyncio.run(_in_process(listed))
    if as_json:
        print_json(rows)
        return
    show(("request", "store", "kind", "from", "asked", "until", "state", "steps done", "reason"),
         [(row["id"], row["store"], row["kind"], row["source"], utc(row['asked_at']), f"{row['deadline']:%F}",
           row["state"], " ".join(row["steps"]), row["reason"]) for row in rows],
         footer="" if rows else "nobody asked anything yet")  # fmt: skip


@app.command()
def refuse(
    store: StoreName,
    request: Annotated[UUID, typer.Argument(help="its number, as `privacy requests` shows it")],
    reason: Annotated[str, typer.Option(help="why it is not done; names nobody")],
    as_json: Json = False,
) -> None:
    """Settle a request that is not to be done, with the reason: somebody is not who they say, a shop stays."""

    async def refused(process: Process, organization: UUID) -> None:
        async with scoped(process.pool(PRIVACY), {organization}) as conn:
            row = await table.one(conn, organization, request)
            if row is None or row["state"] not in ("asked", "made"):
                raise Refusal(f"there is no request {request} that is still open and not under way")
            await table.move(conn, organization, request, "refused", reason=reason)
            await note(conn, "privacy refuse", store=organization, thing=f"request {request}: {reason}")

    with_store(store, refused)
    _told({"request": str(request), "state": "refused"}, f"request {request} is refused: {reason}", as_json=as_json)


@app.command()
def record(how: Annotated[str, typer.Option("--format", help="md or csv")] = "md") -> None:
    """The record of processing (GDPR art. 30): every column with personal data, why, from where, how long, for whom."""
    if how not in ("md", "csv"):
        raise Refusal("it can be written as md or csv")

    async def read() -> list[processing_record.ProcessedColumn]:
        async with database(installed(kafka=False)) as pool, pool.acquire(timeout=10) as conn:
            return processing_record.processed(await column_comments.columns(conn))

    columns = asyncio.run(read())
    print(processing_record.as_csv(columns) if how == "csv" else processing_record.as_markdown(columns))


@app.command()
def resume(as_json: Json = False) -> None:
    """Go on with every erasure that is not done; exit 1 while one waits. The service privacy does so by itself."""

    async def resumed(process: Process) -> list[tuple[str, dict[str, str]]]:
        people = [(str(row["id"]), await worker.go_on(process, row)) for row in await worker.open_requests(process)]
        return people + await worker.carry_on_stores(process)

    _tell(asyncio.run(_with_our_keys(resumed)), as_json=as_json)


@app.command()
def replay(as_json: Json = False) -> None:
    """After a restore, before anything else runs: do every erasure that the topic knows and the database does not."""

    _tell(asyncio.run(_with_our_keys(worker.replay)), as_json=as_json)


def _tell(outcomes: list[tuple[str, dict[str, str]]], *, as_json: bool) -> None:
    if as_json:
        print_json([{"request": request, "done": not waiting, "waiting": waiting} for request, waiting in outcomes])
    for request, waiting in () if as_json else outcomes:
        print(f"request {request}: " + ("forgotten" if not waiting else "not done yet, and goes on by itself:"))
        for step, reason in waiting.items():
            print(f"  {step}: {reason}")
    if not outcomes and not as_json:
        print("nothing to do")
    raise typer.Exit(1 if any(waiting for _, waiting in outcomes) else 0)


def _told(answer: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print(sentence)


def _show_person(person: PersonNames, *, as_json: bool) -> None:
    names: list[tuple[str, list[str]]] = [
        ("customer", sorted(person.customers)), ("email", sorted(person.emails)), ("phone", sorted(person.phones)),
        ("contact", sorted(map(str, person.contact_ids))), ("session", sorted(person.sessions)),
        ("user", sorted(map(str, person.users))), ("conversation", sorted(map(str, person.conversations))),
        ("shared with others, stays", sorted(f"{one.kind}:{one.name}" for one in person.shared)),
    ]  # fmt: skip
    if as_json:
        print_json(dict(names))
        return
    show(("what", "names"), [(kind, ", ".join(all_)) for kind, all_ in names if all_],
         footer="" if any(all_ for _, all_ in names) else "nobody is known by that")  # fmt: skip


def look_at_store(slug: str) -> dict[str, int]:
    """Rows of a store by table: what `stores remove --erase` would take. Raises Refusal."""
    return with_store(slug, store_erasure.look)


def erase_store(slug: str) -> tuple[dict[str, int], dict[str, str]]:
    """All of it, or what is left where it was begun; the rows that went, and step → why it waits. Raises Refusal."""

    async def erased(process: Process, organization: UUID) -> tuple[dict[str, int], dict[str, str]]:
        await store_erasure.begin(process, organization, source="verb")
        waiting = await store_erasure.carry_on(process, organization)
        return await store_erasure.proof(process, organization), waiting

    return with_store(slug, erased)


def with_store(store: str, work: Callable[[Process, UUID], Awaitable[T]]) -> T:
    """Do it in a process of its own, to the store of this short name. Raises Refusal where there is none."""

    async def done(process: Process) -> T:
        return await work(process, (await stores_named(process.pool(), store))[store])

    return asyncio.run(_with_our_keys(done))


async def _with_our_keys(work: Callable[[Process], Awaitable[T]]) -> T:
    """In a process whose hashes are those that are kept. Raises Stop where its key is another installation's."""

    async def checked(process: Process) -> T:
        await check_keys(process.pool(), process.secrets)
        return await work(process)

    return await _in_process(checked)


async def _in_process(work: Callable[[Process], Awaitable[T]]) -> T:
    settings = installed()
    async with database(settings):  # says in one sentence what is wrong with it
        process = Process(settings)
        connecting = asyncio.create_task(process.publisher.connect())
        try:
            return await work(process)
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await process.close()
