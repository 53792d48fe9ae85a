"""How the double answers when it is ill, as servers, proxies and networks are: by turns, to all or to some.

| kind | what the caller sees |
|---|---|
| 429 | `Retry later`, text/plain, no Retry-After |
| 500 | `{"status": 500, "error": "Internal Server Error"}` |
| 502 | a proxy's page |
| html | 200 with a page in place of JSON, as of a login or of maintenance |
| half | 200 whose body ends before its length |
| reset | the connection is reset, nothing answered |
| silence | nothing, for `seconds`, then the connection is closed |
| slow | the right answer, after `seconds` |
| lost | the call is done, its answer is not sent: the connection is reset |
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Collection

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.chatwoot.errors import retry_later

KINDS = ("429", "500", "502", "html", "half", "reset", "silence", "slow", "lost")
_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
_NO_LINGER = struct.pack("ii", 1, 0)  # closing then resets


class FaultModes:
    """Change the fields freely; with no kinds every call is answered as it should be. `met` counts by kind."""

    def __init__(self, *, seed: int) -> None:
        self.kinds: tuple[str, ...] = ()
        self.share = 1.0  # of the calls; the others are answered as they should be
        self.seconds = 30.0  # of silence, and of slow answers
        self.accounts: Collection[int] = ()  # whose calls alone are hit; of all where none is named
        self.met: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._turn = 0

    def next(self, path: str) -> str | None:
        """What becomes of this call: each kind in its turn, None where it is well."""
        if not self.kinds or self._chance.random() >= self.share or not self._is_hit(path):
            return None
        kind = self.kinds[self._turn % len(self.kinds)]
        self._turn += 1
        self.met[kind] += 1
        return kind

    def _is_hit(self, path: str) -> bool:
        return not self.accounts or any(f"/accounts/{number}/" in f"{path}/" for number in self.accounts)

    async def answer(self, kind: str, well: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call in this way; `well` is what would have answered."""
        if kind in _ANSWERS:
            await _ANSWERS[kind]()(scope, receive, send)
        elif kind == "slow":
            await asyncio.sleep(self.seconds)
            await well(scope, receive, send)
        else:
            if kind == "lost":
                await well(scope, receive, _nowhere)
            elif kind == "silence":
                with contextlib.suppress(TimeoutError):  # the silence is over, or the caller has hung up
                    await asyncio.wait_for(_hung_up(receive), self.seconds)
            await (_half if kind == "half" else _reset)(receive, send)


_ANSWERS: dict[str, Callable[[], Response]] = {
    "429": retry_later,
    "500": lambda: JSONResponse({"status": 500, "error": "Internal Server Error"}, 500),
    "502": lambda: HTMLResponse(_PAGE.format("502 Bad Gateway"), 502),
    "html": lambda: HTMLResponse(_PAGE.format("Maintenance"), 200),
}


async def _half(receive: Receive, send: Send) -> None:
    # Who closes before bytes that came are read resets: the caller might see nothing of the half.
    await _read_whole(receive)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"400")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"payload":{"id":', "more_body": True})
    _transport(send).close()
    await _hung_up(receive)


async def _read_whole(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _nowhere(_message: Message) -> None:
    """What was answered is not sent."""


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(receive: Receive, send: Send) -> None:
    transport = _transport(send)
    held: socket.socket | None = transport.get_extra_info("socket")
    if held is not None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await _hung_up(receive)  # or uvicorn would answer 500 for want of an answer


def _transport(send: Send) -> asyncio.Transport:
    """The connection. ASGI has no word for it: uvicorn's `send` is bound to what holds it.

    In process, where there is none, the caller sees the error that its end would be.
    """
    transport: asyncio.Transport | None = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the double ends the connection")
    return transport
