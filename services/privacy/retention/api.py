"""How long a store keeps what, over HTTP: the same functions as at the command line."""

from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from services.kernel import Process
from services.kernel.web.operations import Operation, body_as
from services.kernel.web.visible_stores import managed_store
from services.privacy.retention import kept_kinds

_PATH = "/api/stores/{store}/retention"


class SaidRetention(BaseModel):
    """For how many days a store keeps a kind; with `dry_run` it is only reckoned what that would do."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: Annotated[str, Field(max_length=40)]
    days: Annotated[int, Field(ge=1, le=3660)]
    in_chatwoot: bool | None = None
    dry_run: bool = False


def add_to(process: Process) -> None:
    """Both operations; the store's people are shown, and change nothing: the audit log is kept by it, too."""
    shown = Operation("GET", _PATH, "how long a store keeps what", people="read")
    process.operations.add(shown, partial(_show, process))
    process.operations.add(Operation("POST", _PATH, "let a store keep a kind for so many days", body=SaidRetention),
                           partial(_set, process))  # fmt: skip


async def _show(process: Process, request: Request) -> Any:
    return [one._asdict() for one in await kept_kinds.kept(process, await managed_store(process, request))]


async def _set(process: Process, request: Request) -> Any:
    said = await body_as(request, SaidRetention)
    change = await kept_kinds.keep(
        process, await managed_store(process, request), kept_kinds.kind_named(said.kind), said.days,
        in_chatwoot=said.in_chatwoot, dry_run=said.dry_run,
    )  # fmt: skip
    return change._asdict()
