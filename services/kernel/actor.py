"""Who acts: bound around a request, as a log's context is; at the command line the account that runs it."""

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from db.pool import Connection
from db.records import audit


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom the audit log names, and where the request came from."""

    name: str
    source: str
    person: UUID | None = None  # None: the operator


_ACTING: ContextVar[Actor | None] = ContextVar("acting", default=None)


def acting() -> Actor:
    return _ACTING.get() or Actor(getpass.getuser(), f"cli@{socket.gethostname()}")


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What is done within is done by this one."""
    token = _ACTING.set(actor)
    try:
        yield
    finally:
        _ACTING.reset(token)


async def note(conn: Connection, action: str, *, store: UUID | None, thing: str) -> None:
    """Write down who does this, in the transaction that does it; the store must be in scope."""
    actor = acting()
    await audit.note(conn, actor=actor.name, source=actor.source, action=action, store=store, thing=thing)
