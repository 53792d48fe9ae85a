"""The doors with a fault: `wootstream run ingress` in which whoever asks for one path holds up the one loop.

A judge that does not notice it would notice nothing.
"""

import time

from starlette.types import Receive, Scope, Send

from services.cli import main
from services.ingress import app
from services.kernel import Process
from tests.hostile.acts.held_up import PATH

_HELD_SECONDS = 0.05
_ADD_TO = app.add_to


async def _slow(_scope: Scope, _receive: Receive, send: Send) -> None:
    time.sleep(_HELD_SECONDS)  # noqa: ASYNC251  # that is the fault
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _add_to(process: Process) -> None:
    _ADD_TO(process)
    process.site.door(PATH, _slow)


if __name__ == "__main__":
    app.add_to = _add_to
    main()
