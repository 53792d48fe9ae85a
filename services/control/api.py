"""The operator's verbs over HTTP, the same functions as at the command line; `GET /api/openapi.json` describes them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from db import stores
from db.pool import PEOPLE, scoped_as_person
from db.records.dead_letters import LetterFilter
from schemas.bounds import MOST_INT8
from schemas.provisioning import CreateAccountOnServer, GenerateTokenOnServer
from schemas.stores import SLUG, Email, StoreOptions
from schemas.stores_file import StoreEntry
from services.control import audit_log, settings
from services.control.dead_letters import letters
from services.control.dead_letters.redrive import redrive
from services.control.doctor.checkup import check
from services.control.doctor.finding import gravest
from services.control.ledger import adoption
from services.control.ledger.audit import audit
from services.control.people import membership
from services.control.people.membership import Role
from services.control.stores import attach
from services.control.stores.agent_tokens import generated
from services.control.stores.declared import secrets_of_file
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import Failed, opened
from services.kernel import Process, Refusal
from services.kernel.actor import acting
from services.kernel.cli.terminal import since
from services.kernel.web.operations import Operation, body_as, query

_MOST = 1_000
_DIGITS = 19
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


async def _add(process: Process, request: Request) -> Any:
    store = await body_as(request, StoreOptions)
    return (await attach.add(process.settings, store)).as_json(process.settings.public_url)


async def _provision(process: Process, request: Request) -> Any:
    asked = await body_as(request, CreateAccountOnServer)
    server = WantedStore(asked.account_name, StoreEntry(domain=asked.domain), asked.base_url, asked.platform_token)
    wanted = secrets_of_file.as_wanted(asked, server)
    async with opened(process.settings) as site:
        (done,) = await secrets_of_file.applied(site, [wanted], _nobody_looks)
    if isinstance(done, Failed):
        raise Refusal(f"store {done.slug} cannot be made: {done.reason}")
    return done.added.as_json(process.settings.public_url) | {"changes": [one.as_json() for one in done.changes]}


async def _token(process: Process, request: Request) -> Any:
    asked = await body_as(request, GenerateTokenOnServer)
    async with opened(process.settings) as site:
        answer = await generated(site, asked.base_url, asked.platform_token, asked)
    return answer.model_dump() | {"access_token": answer.access_token.get_secret_value()}


async def _people(process: Process, request: Request) -> Any:
    return [asdict(one) for one in await membership.listed(process.pool(), request.query_params.get("store"))]


async def _add_person(process: Process, request: Request) -> Any:
    one = await body_as(request, StorePerson)
    return {**one.model_dump(), "changed": await membership.add(process.pool(), one.store, one.email, one.role)}


async def _remove_person(process: Process, request: Request) -> Any:
    one = await body_as(request, FormerStorePerson)
    return {**one.model_dump(), "changed": await membership.remove(process.pool(), one.store, one.email)}


async def _openapi(process: Process, _request: Request) -> Any:
    return process.operations.description(version("wootstream"))


_CHOICE = query(("store", "reason", "since", "id", "max"), _NAMES)
OPERATIONS: Sequence[tuple[Operation, Callable[[Process, Request], Awaitable[Any]]]] = (
    (Operation("GET", "/api/openapi.json", "this description"), _openapi),
    (Operation("GET", "/api/stores", "every store, without its secrets", people="read"), _stores),
    (Operation("POST", "/api/stores", "attach an account, or change what the body names; secrets that are made are "
               "told this once", body=StoreOptions), _add),
    (Operation("POST", "/api/stores/provision", "make one with an account of its own; the same again goes on",
               body=CreateAccountOnServer), _provision),
    (Operation("POST", "/api/stores/token", "a token for somebody who acts in a store's account",
               body=GenerateTokenOnServer), _token),
    (Operation("GET", "/api/stores/{store}", "one of them", people="read"), _store),
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
