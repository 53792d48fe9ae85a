"""The widget's reports over HTTP: the command line's JSON, for whoever bears the installation's token."""

from dataclasses import fields
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db.pool import scoped
from schemas.reports import WidgetUseReport
from services.kernel import Process, Refusal
from services.kernel.person_tokens import MANAGERS
from services.kernel.web.callers import refusal
from services.kernel.web.operations import Operation, query_of
from services.kernel.web.visible_stores import visible_stores
from services.widget.use import GROUPINGS, Span, use

_PATHS: dict[str, tuple[str, Any]] = {
    "/api/stores/{store}/reports/widget/{by}": ("how the widget of one store is used", WidgetUseReport),
    "/api/reports/widget/{by}": ("the same of every store, by its short name", dict[str, WidgetUseReport]),
}
_ALSO = {404: "there is no such store or report"}
_TIME = "7d, 12h, or a date or time in the store's zone"


def add_to(process: Process) -> None:
    """`GET /api/stores/{store}/reports/widget/{by}` answers for one store, `GET /api/reports/widget/{by}` for each. Off
    without a token."""
    if process.settings.api_token is None:
        return
    names = {field.name: _TIME for field in fields(Span)}
    for path, (summary, answer) in _PATHS.items():
        operation = Operation("GET", path, summary, names, people="read", also=_ALSO, answer=answer)
        process.operations.add_as_it_is(operation, lambda request: _report(process, request))


async def _report(process: Process, request: Request) -> Response:
    store, now = request.path_params.get("store"), process.clock.now()
    by = next((one for one in GROUPINGS if one == request.path_params["by"]), None)
    if by is None:
        return refusal(404, f"there is no such report of the widget; there are: {', '.join(GROUPINGS)}")
    names = [field.name for field in fields(Span)]
    span = Span(**query_of(request, names, f"this report takes {' and '.join(names)}"))
    try:
        asked = await visible_stores(process, store, MANAGERS)
    except Refusal as reason:
        return refusal(404, str(reason))
    answers: dict[str, WidgetUseReport] = {}
    try:
        for slug, organization in asked.items():
            async with scoped(process.pool(), {organization}) as conn:
                answers[slug] = await use(conn, organization, slug, by, span, now=now)
    except Refusal as reason:
        return refusal(400, str(reason))
    body = answers if store is None else answers[store]
    return Response(orjson.dumps(body, default=lambda one: one.model_dump(mode="json")), media_type="application/json")
