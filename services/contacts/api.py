"""`push diff` over HTTP: the command line's JSON, for whoever bears the installation's token."""

from typing import Any

from starlette.requests import Request

from services.contacts.shadow import MOST, differences, page_of, place
from services.kernel import Process, Refusal
from services.kernel.web.operations import Operation

_QUERY = {
    "store": "a store's short name; left out: every store in shadow",
    "after": "go on after this STORE/CONTACT, as the last page said",
    "max": f"at most so many people, up to {MOST}; 50 where it is left out",
}


def add_to(process: Process) -> None:
    async def diff(request: Request) -> Any:
        asked = request.query_params
        most = asked.get("max", "50")
        if not (most.isascii() and most.isdigit() and len(most) <= len(str(MOST)) and 0 < int(most) <= MOST):
            raise Refusal(f"max is a number from 1 to {MOST}")
        rows = await differences(process.pool(), asked.get("store"), place(asked.get("after", "")), int(most))
        return page_of(rows, int(most))

    summary = "what stores in shadow would send; who asks is written down"
    process.operations.add(Operation("GET", "/api/push/diff", summary, _QUERY), diff)
