"""Consent over HTTP, for a shop's own back end and its people: the same functions as at the command line."""

from functools import partial
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request

from schemas.values.consent import Purpose
from services.kernel import Process, Refusal
from services.kernel.web.operations import Operation, body_as
from services.kernel.web.visible_stores import managed_store
from services.privacy.consent import standing
from services.privacy.who import meant

_PATH = "/api/stores/{store}/consent"
_WHO = {"who": "customer:ID, email:…, phone:…, contact:ID or session:ID"}
_MOST = 300


class SaidConsent(BaseModel):
    """One word of a person; `at` is when they said it, now where it is left out."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    who: Annotated[str, Field(min_length=1, max_length=_MOST)]
    purpose: Purpose
    given: bool
    at: AwareDatetime | None = None
    text_version: Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")] | None = None


def add_to(process: Process) -> None:
    """Both operations, also for those who manage the store."""
    process.operations.add(Operation("GET", _PATH, "what a person agreed to; who asks is written down", _WHO,
                                     people="personal"), partial(_show, process))  # fmt: skip
    process.operations.add(Operation("POST", _PATH, "write down that a person agrees, or no longer does",
                                     body=SaidConsent, people="change"), partial(_say, process))  # fmt: skip


async def _show(process: Process, request: Request) -> Any:
    who = request.query_params.get("who")
    if not who or len(who) > _MOST:
        raise Refusal("say who: customer:…, email:…, phone:…, contact:… or session:…")
    return await standing.standing(process, await managed_store(process, request), meant(who))


async def _say(process: Process, request: Request) -> Any:
    said, store = await body_as(request, SaidConsent), await managed_store(process, request)
    news = await standing.say(
        process, store, meant(said.who), said.purpose, given=said.given, source="api", said_at=said.at,
        text_version=said.text_version,
    )  # fmt: skip
    return {"news": news}
