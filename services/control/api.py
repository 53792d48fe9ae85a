"""The operator's verbs over HTTP, the same functions as at the command line; `GET /api/openapi.json` describes them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from db.records.dead_letters import LetterFilter
from schemas.bounds import MOST_INT8
from schemas.stores import SLUG, Email
from services.control import audit_log, settings
from services.control.dead_letters import letters
from services.control.dead_letters.redrive import redrive
from services.control.doctor.checkup import check
from services.control.doctor.finding import gravest
from services.control.ledger import adoption
from services.control.ledger.audit import audit
from services.control.people import membership
from services.control.people.membership import Role
from services.control.stores import api as stores
from services.kernel import Process, Refusal
from services.kernel.cli.terminal import not_empty, since
from services.kernel.web.operations import Operation, body_as, query

_MOST = 1_000
_DIGITS = 19
# No answer takes longer than 60 s: what hangs is a finding after 15, and stores are looked at for what is left.
_DOCTOR_WAIT_SECONDS, _DOCTOR_SECONDS = 15.0, 45.0
_NAMES = {"store": "a store's short name; left out: every store", "since": "30m, 12h, 7d, or a date or time",
          "reason": "only where the reason contains this", "max": f"at most so many, up to {_MOST}",
          "id": "only this letter; again for more", "reveal": "true: with personal data; it is written down",
          "group": "only of this consumer group", "topic": "only of this topic"}  # fmt: skip


class StorePerson(BaseModel):
    """Who is what in which store."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    store: str = Field(pattern=SLUG)
    email: Email
    role: Role


class FormerStorePerson(BaseModel):
    """Who shall be nothing in which store."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    store: str = Field(pattern=SLUG)
    email: Email


def add_to(process: Process) -> None:
    """Every operation for the bearer of the installation's token; none without one."""
    for operation, answer in OPERATIONS:
        process.operations.add(operation, partial(answer, process))


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
    findings = await check(process.settings, wait=_DOCTOR_WAIT_SECONDS, within=_DOCTOR_SECONDS)
    rows = [asdict(one) | {"severity": one.severity.name.lower()} for one in findings]
    return {"verdict": gravest(findings).name.lower(), "findings": rows}


async def _settings(_process: Process, _request: Request) -> Any:
    return [asdict(one) for one in settings.settings()]


async def _audit_log(process: Process, request: Request) -> Any:
    asked = request.query_params
    return await audit_log.read(
        process.settings, store=asked.get("store"), since=since(asked.get("since")), limit=_limit(request) or 100
    )


async def _people(process: Process, request: Request) -> Any:
    return [asdict(one) for one in await membership.listed(process.pool(), request.query_params.get("store"))]


async def _add_person(process: Process, request: Request) -> Any:
    one = await body_as(request, StorePerson)
    return {**one.model_dump(), "changed": await membership.add(process.pool(), one.store, one.email, one.role)}


async def _remove_person(process: Process, request: Request) -> Any:
    one = await body_as(request, FormerStorePerson)
    done = await membership.remove(process.pool(), one.store, one.email)
    # Whoever asks again, for the first answer was lost, hears that it is so.
    changed, forgotten = (done.changed, done.forgotten) if done else (False, True)
    return {**one.model_dump(), "changed": changed, "forgotten": forgotten}


async def _openapi(process: Process, _request: Request) -> Any:
    return process.operations.description(version("wootstream"))


_CHOICE = query(("store", "reason", "since", "id", "max"), _NAMES)
OPERATIONS: Sequence[tuple[Operation, Callable[[Process, Request], Awaitable[Any]]]] = (
    (Operation("GET", "/api/openapi.json", "this description"), _openapi),
    *stores.OPERATIONS,
    (Operation("GET", "/api/people", "who is what in which store", query(("store",), _NAMES)), _people),
    (Operation("POST", "/api/people", "make somebody a member of a store, or change their role", body=StorePerson),
     _add_person),
    (Operation("POST", "/api/people/remove", "take somebody out of a store", body=FormerStorePerson), _remove_person),
    (Operation("GET", "/api/audit", "what became of every record that was accepted", query(("since",), _NAMES)),
     _audit),
    (Operation("GET", "/api/offsets", "ledger and log side by side", query(("group", "topic"), _NAMES)), _offsets),
    (Operation("GET", "/api/dead-letters", "how many wait, by reason", _CHOICE), _letters),
    (Operation("GET", "/api/dead-letters/{id}", "one letter", query(("reveal",), _NAMES)), _letter),
    (Operation("POST", "/api/dead-letters/redrive", "send them again", _CHOICE), _redrive),
    (Operation("POST", "/api/dead-letters/discard", "give them up for good", _CHOICE), _discard),
    (Operation("GET", "/api/doctor", "look at everything at once; each fault with its cure"), _doctor),
    (Operation("GET", "/api/settings", "every setting, secrets hidden"), _settings),
    (Operation("GET", "/api/audit-log", "who changed something or was shown personal data",
               query(("store", "since", "max"), _NAMES)), _audit_log),
)  # fmt: skip


def _nobody_looks(_done: int, _of: int) -> None:
    """There is no bar to move."""


def _wanted(request: Request) -> LetterFilter:
    asked = request.query_params
    ids = tuple(_number(one) for one in asked.getlist("id")[:_MOST])
    return LetterFilter(reason=not_empty(asked.get("reason")), since=since(asked.get("since")), ids=ids or None)


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
