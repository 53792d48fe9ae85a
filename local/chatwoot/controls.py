"""The double's own door, /double: what it counted, and how it is to behave. It wants no token and meets no fault.

`GET /double` shows all of it; `PATCH /double` takes any part of what can be set, such as
`{"faults": {"kinds": ["429", "silence"], "share": 0.1}}`, and answers 422 for what it does not know.
"""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.chatwoot.double import Double
from local.chatwoot.fault_modes import KINDS

PATH = "/double"
_LAST = 20  # deliveries that are shown


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Faults(_Part):
    kinds: tuple[str, ...] | None = None
    share: float | None = Field(None, ge=0, le=1)
    seconds: float | None = Field(None, ge=0)
    accounts: tuple[int, ...] | None = None


class _Limits(_Part):
    per_address: int | None = Field(None, ge=0)
    searches_per_account: int | None = Field(None, ge=0)
    enforce_on_loopback: bool | None = None


class _Webhooks(_Part):
    duplicates: float | None = Field(None, ge=0, le=1)
    reorder: bool | None = None
    clock_skew_seconds: int | None = None


class _Settings(_Part):
    faults: _Faults = _Faults()
    limits: _Limits = _Limits()
    webhooks: _Webhooks = _Webhooks()
    online: dict[int, tuple[int, ...]] | None = None  # account -> contacts that have a widget open
    run_jobs: bool = False  # delete now what a job is to delete


async def show(request: Request) -> Response:
    return JSONResponse(_shown(request.app.state.double))


async def change(request: Request) -> Response:
    double: Double = request.app.state.double
    try:
        given = _Settings.model_validate_json(await request.body())
        unknown = set(given.faults.kinds or ()) - set(KINDS)
    except ValidationError as error:
        return Response(error.json(include_url=False, include_context=False), 422, media_type="application/json")
    if unknown:
        return JSONResponse(
            {"error": f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"}, 422
        )
    for part, held in (
        (given.faults, double.faults),
        (given.limits, double.limits),
        (given.webhooks, double.deliveries),
    ):
        for name, value in part.model_dump(exclude_unset=True).items():
            setattr(held, name, value)
    if given.online is not None:
        double.state.online = {(account, contact) for account, some in given.online.items() for contact in some}
    if given.run_jobs:
        double.state.finish_deletions()
    return JSONResponse(_shown(double))


def _shown(double: Double) -> dict[str, Any]:
    state, faults, limits, deliveries = double.state, double.faults, double.limits, double.deliveries
    online: dict[int, list[int]] = {}
    for account, contact in sorted(state.online):
        online.setdefault(account, []).append(contact)
    return {
        "release": state.release.text,
        "platform_token": state.platform_token,
        "calls": {str(account): count for account, count in sorted(double.calls.items())},
        "throttled": limits.refused,
        "faults": {
            "kinds": list(faults.kinds),
            "share": faults.share,
            "seconds": faults.seconds,
            "accounts": list(faults.accounts),
            "met": dict(faults.met),
        },
        "limits": {
            "per_address": limits.per_address,
            "searches_per_account": limits.searches_per_account,
            "enforce_on_loopback": limits.enforce_on_loopback,
        },
        "webhooks": {
            "duplicates": deliveries.duplicates,
            "reorder": deliveries.reorder,
            "clock_skew_seconds": deliveries.clock_skew_seconds,
            "outcomes": {str(outcome): count for outcome, count in deliveries.outcomes.items()},
            "last": [
                {"url": one.url, "event": one.event, "outcome": one.outcome, "body": orjson.loads(one.body)}
                for one in list(deliveries.sent)[-_LAST:]
            ],
        },
        "online": {str(account): some for account, some in online.items()},
    }


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(PATH, change, methods=["PATCH"]),
]
