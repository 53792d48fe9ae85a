"""The widget's reports over HTTP: the command line's JSON, for whoever bears the installation's token."""

from dataclasses import fields

import orjson
from starlette.requests import Request
from starlette.responses import Response

from db.pool import scoped
from schemas.reports import WidgetUseReport
from services.kernel import Process, Refusal
from services.kernel.cli.environment import stores_named
from services.kernel.web.callers import refusal
from services.widget.use import GROUPINGS, Span, use


def add_to(process: Process) -> None:
    """`GET /api/stores/{store}/reports/widget/{by}` answers for one store, `GET /api/reports/widget/{by}` for each. Off
    without a token."""
    if process.settings.api_token is None:
        return
    for path in ("/api/stores/{store}/reports/widget/{by}", "/api/reports/widget/{by}"):
        process.route(path, process.callers.guarded(lambda request: _report(process, request)))


async def _report(process: Process, request: Request) -> Response:
    store, now = request.path_params.get("store", ""), process.clock.now()
    by = next((one for one in GROUPINGS if one == request.path_params["by"]), None)
    if by is None:
        return refusal(404, f"there is no such report of the widget; there are: {', '.join(GROUPINGS)}")
    names = [field.name for field in fields(Span)]
    if unknown := request.query_params.keys() - set(names):
        return refusal(400, f"{', '.join(sorted(unknown))[:200]}: this report takes {' and '.join(names)}")
    try:
        asked = await stores_named(process.pool(), store)
    except Refusal as reason:
        return refusal(404, str(reason))
    answers: dict[str, WidgetUseReport] = {}
    try:
        for slug, organization in asked.items():
            async with scoped(process.pool(), {organization}) as conn:
                answers[slug] = await use(conn, organization, slug, by, Span(**request.query_params), now=now)
    except Refusal as reason:
        return refusal(400, str(reason))
    body = answers[store] if store else answers
    return Response(orjson.dumps(body, default=lambda one: one.model_dump(mode="json")), media_type="application/json")
