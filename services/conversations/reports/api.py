"""Reports over HTTP, the command line's JSON: for the bearer of the installation's token, and people of its stores."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db.pool import scoped
from schemas.reports import Comparison, Report, ReportSummary, WaitingList
from services.conversations.reports.comparison import compare_each
from services.conversations.reports.query import NAMES, Question, answer
from services.kernel import Process, Refusal, Retryable
from services.kernel.actor import acting
from services.kernel.chatwoot.chatwoot_client import Unanswered
from services.kernel.person_tokens import EVERYONE
from services.kernel.web.callers import refusal
from services.kernel.web.operations import Operation, query_of
from services.kernel.web.visible_stores import visible_stores

_MOST = 1000  # of those who wait, longest first: a longer list is for nobody
_LIMIT = re.compile("[0-9]{1,4}")
_COMPARE = "compare"
_Answer = ReportSummary | Report | WaitingList | Comparison
_PATHS: dict[str, tuple[str, Any]] = {
    "/api/stores/{store}/reports/{name}": ("a report of one store", _Answer),
    "/api/reports/{name}": ("the same of every store, by its short name", dict[str, _Answer]),
}
_ALSO = {404: "there is no such store or report", 502: "Chatwoot, which compare asks, does not tell"}
_QUERY = {
    "since": "7d, 12h, or a date or time in the store's zone; 7d where it is left out",
    "until": "the same; now where it is left out",
    "limit": f"of those who wait, the longest first: up to {_MOST}",
}


def add_to(process: Process) -> None:
    """`GET /api/reports` names them; `GET /api/stores/{store}/reports/{name}` answers for one store, `GET
    /api/reports/{name}` for each. Off without a token."""
    if process.settings.api_token is None:
        return
    for path, (summary, answers) in _PATHS.items():
        operation = Operation("GET", path, summary, _QUERY, people="read", also=_ALSO, answer=answers)
        process.operations.add_as_it_is(operation, lambda request: _report(process, request))
    process.operations.add_as_it_is(Operation("GET", "/api/reports", "their names", people="read"), _names)


async def _names(_request: Request) -> Response:
    return JSONResponse({"reports": [*NAMES, _COMPARE]})


async def _report(process: Process, request: Request) -> Response:
    name, store, now = request.path_params["name"], request.path_params.get("store"), process.clock.now()
    if name not in (*NAMES, _COMPARE):
        return refusal(404, f"there is no report {name}; there are: {', '.join((*NAMES, _COMPARE))}")
    if name == _COMPARE and acting().person:
        return refusal(403, "compare asks Chatwoot, in the pace of all stores: only the operator may")
    try:
        asked = await visible_stores(process, store, EVERYONE)
    except Refusal as reason:
        return refusal(404, str(reason))
    try:
        if name == _COMPARE:
            answers: Mapping[str, BaseModel] = await _compared(process, asked, request)
        else:
            answers = await _answers(process, asked, _question(request), now)
    except Refusal as reason:
        return refusal(400, str(reason))
    except (Unanswered, Retryable) as reason:
        return refusal(502, str(reason))
    body = answers if store is None else answers[store]
    # One store's answer bare, of all by their short names: as the command line's --json.
    return Response(orjson.dumps(body, default=lambda one: one.model_dump(mode="json")), media_type="application/json")


async def _answers(
    process: Process, asked: Mapping[str, UUID], question: Question, now: datetime
) -> Mapping[str, BaseModel]:
    answers: dict[str, BaseModel] = {}
    for slug, organization in asked.items():
        async with scoped(process.pool(), {organization}) as conn:
            answers[slug] = await answer(conn, organization, question, now=now)
    return answers


async def _compared(process: Process, asked: Mapping[str, UUID], request: Request) -> Mapping[str, BaseModel]:
    given = _given(request, known=("since", "until"))
    return await compare_each(process, asked, since=given.get("since", "7d"), until=given.get("until", "1h"))


def _question(request: Request) -> Question:
    given = _given(request, known=[field.name for field in fields(Question) if field.name != "name"])
    limit = given.pop("limit", "20")
    if not _LIMIT.fullmatch(limit) or not 0 < int(limit) <= _MOST:
        raise Refusal(f"limit is a number from 1 to {_MOST}")
    return Question(request.path_params["name"], limit=int(limit), **given)


def _given(request: Request, known: Sequence[str]) -> dict[str, str]:
    return query_of(request, known, f"this report takes {', '.join(known)}")
