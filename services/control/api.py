"""The operator's verbs over HTTP, the same functions as at the command line; `GET /api/openapi.json` describes them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db import stores
from db.pool import PEOPLE, scoped_as_person
from db.records.dead_letters import LetterFilter
from schemas.bounds import MOST_INT8
from services.control import audit_log, settings
from services.control.dead_letters import letters
from services.control.dead_letters.redrive import redrive
from services.control.doctor.checkup import check
from services.control.doctor.finding import gravest
from services.control.ledger import adoption
from services.control.ledger.audit import audit
from services.control.stores import attach
from services.kernel import Process, Refusal
from services.kernel.actor import acting, note
from services.kernel.cli.terminal import since
from services.kernel.person_tokens import TokenScope
from services.kernel.web.callers import refusal

_MOST = 1_000
_DIGITS = 19
_AT_ONCE = 4  # each verb opens connections of its own
_WAIT_SECONDS = 10.0
_LONGEST = 200
_NAMES = {"store": "a store's short name; left out: every store", "since": "30m, 12h, 7d, or a date or time",
          "reason": "only where the reason contains this", "max": f"at most so many, up to {_MOST}",
          "id": "only this letter; again for more", "reveal": "true: with personal data; it is written down",
          "group": "only of this consumer group", "topic": "only of this topic"}  # fmt: skip
Answer = Callable[[Process, Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb at one path; a query has no other names than these."""

    method: str
    path: str
    summary: str
    answer: Answer = field(repr=False)
    query: Sequence[str] = ()
    people: TokenScope | None = None  # the scope of a person's token that may; None: the operator alone


def add_to(process: Process) -> None:
    """Every operation for the bearer of the installation's token; none without one."""
    if process.settings.api_token is None:
        return
    room = asyncio.Semaphore(_AT_ONCE)
    for one in OPERATIONS:
        endpoint = process.callers.guarded(_endpoint(one, process, room), people=one.people)
        process.route(one.path, endpoint, methods=(one.method,))


def _endpoint(
    operation: Operation, process: Process, room: asyncio.Semaphore
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if unknown := set(request.query_params) - set(operation.query):
            raise Refusal(
                f"{', '.join(sorted(unknown))[:200]}: {operation.path} takes {', '.join(operation.query) or 'nothing'}"
            )
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await room.acquire()
        except TimeoutError:
            return refusal(503, "others are being answered", {"retry-after": "10"})
        try:
            await _note_person(process, operation, request)
            told = await operation.answer(process, request)
        finally:
            room.release()
        return Response(orjson.dumps(told, default=_plain), media_type="application/json")

    return endpoint


async def _note_person(process: Process, operation: Operation, request: Request) -> None:
    """What a person asks is written down before it is answered; the operator's own reading is not."""
    if acting().person:
        async with process.pool().acquire(timeout=10) as conn, conn.transaction():
            await note(conn, f"{operation.method} {operation.path}", store=None, thing=request.url.path[:_LONGEST])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else dict(value)


async def _stores(process: Process, _request: Request) -> Any:
    if (person := acting().person) is None:
        return await attach.listed(process.settings)
    async with scoped_as_person(process.pool(PEOPLE), person) as conn:
        return await stores.listed_to_people(conn)


async def _store(process: Process, request: Request) -> Any:
    slug = request.path_params["store"]
    found = [row for row in await _stores(process, request) if row["slug"] == slug]
    if not found:
        raise Refusal(f"there is no store {slug[:63]!r}")
    return found[0]


async def _audit(process: Process, request: Request) -> Any:
    return (await audit(process.settings, since=since(request.query_params.get("since")))).as_json()


async def _offsets(process: Process, request: Request) -> Any:
    asked = request.query_params
    return await adoption.show(process.settings, group=asked.get("group"), topic=asked.get("topic"))


async def _letters(process: Process, request: Request) -> Any:
    store = request.query_params.get("store")
    return await letters.by_reason(process.settings, _wanted(request), store=store, limit=_limit(request) or 50)


async def _letter(process: Process, request: Request) -> Any:
    reveal = request.query_params.get("reveal") == "true"
    return await letters.show(process.settings, _number(request.path_params["id"]), reveal=reveal)


async def _redrive(process: Process, request: Request) -> Any:
    store = request.query_params.get("store")
    return await redrive(process.settings, _wanted(request), store=store, limit=_limit(request), advance=_nobody_looks)


async def _discard(process: Process, request: Request) -> Any:
    store = request.query_params.get("store")
    done = await letters.discard(
        process.settings, _wanted(request), store=store, limit=_limit(request), advance=_nobody_looks
    )
    return {"discarded": done}


async def _doctor(process: Process, _request: Request) -> Any:
    findings = await check(process.settings)
    told = [asdict(one) | {"severity": one.severity.name.lower()} for one in findings]
    return {"verdict": gravest(findings).name.lower(), "findings": told}


async def _settings(_process: Process, _request: Request) -> Any:
    return [asdict(one) for one in settings.settings()]


async def _audit_log(process: Process, request: Request) -> Any:
    asked = request.query_params
    return await audit_log.read(
        process.settings, store=asked.get("store"), since=since(asked.get("since")), limit=_limit(request) or 100
    )


async def _openapi(_process: Process, _request: Request) -> Any:
    return description(version("wootstream"))


_CHOICE = ("store", "reason", "since", "id", "max")
OPERATIONS = (
    Operation("GET", "/api/openapi.json", "this description", _openapi),
    Operation("GET", "/api/stores", "every store, without its secrets", _stores, people="read"),
    Operation("GET", "/api/stores/{store}", "one of them", _store, people="read"),
    Operation("GET", "/api/audit", "what became of every record that was accepted", _audit, ("since",)),
    Operation("GET", "/api/offsets", "ledger and log side by side", _offsets, ("group", "topic")),
    Operation("GET", "/api/dead-letters", "how many wait, by reason", _letters, _CHOICE),
    Operation("GET", "/api/dead-letters/{id}", "one letter", _letter, ("reveal",)),
    Operation("POST", "/api/dead-letters/redrive", "send them again", _redrive, _CHOICE),
    Operation("POST", "/api/dead-letters/discard", "give them up for good", _discard, _CHOICE),
    Operation("GET", "/api/doctor", "look at everything at once; each fault with its cure", _doctor),
    Operation("GET", "/api/settings", "every setting, secrets hidden", _settings),
    Operation("GET", "/api/audit-log", "who changed something or was shown personal data", _audit_log,
              ("store", "since", "max")),
)  # fmt: skip


def _nobody_looks(_done: int, _of: int) -> None:
    """There is no bar to move."""


def _wanted(request: Request) -> LetterFilter:
    asked = request.query_params
    ids = tuple(_number(one) for one in asked.getlist("id")[:_MOST])
    return LetterFilter(reason=asked.get("reason"), since=since(asked.get("since")), ids=ids or None)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MOST_INT8):
        raise Refusal(f"{text[:20]!r} is no letter's number")
    return int(text)


def _limit(request: Request) -> int | None:
    text = request.query_params.get("max")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) and 0 < int(text) <= _MOST):
        raise Refusal(f"max is a number from 1 to {_MOST}")
    return int(text)


def description(release: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wootstream's verbs", "version": release},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _described(one: Operation) -> Mapping[str, Any]:
    names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    text = {"type": "string"}
    return {
        "summary": one.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": text} for name in names),
            *({"name": name, "in": "query", "description": _NAMES[name], "schema": text} for name in one.query),
        ],
        "responses": {
            "200": {"description": "as the command line's --json", "content": {"application/json": {"schema": {}}}},
            "400": _error("it cannot be done as asked"),
            "401": _error("a wrong token"),
            "403": _error("a token that may not ask this"),
            "429": _error("too many wrong tokens at once"),
            "503": _error("a server is away, or others are being answered"),
        },
    }


def _error(text: str) -> Mapping[str, Any]:
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
