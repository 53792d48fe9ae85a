"""The error words, each with who is concerned, and the one table that says what a database error means for a batch.

Exception
├── Invalid     this record can never be applied             → dead letter
├── Retryable   the world is not ready                       → the same batch again, with back-off
├── Refusal     what a person asks for cannot be done        → the verb or the HTTP answer says this sentence
├── Sealed      a secret that another key sealed, or damaged → that store or row goes without, the others go on
└── Stop        the deployment is at fault                   → the process ends with this sentence

Whatever else data raises, of whatever class, is set aside as a bug with the record it came from (consuming/bisect.py).
"""

import json
from enum import Enum

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from db.pool import TooMuchPower


class Invalid(Exception):
    """This record can never be applied: set it aside with this reason (for people; no personal data in it)."""


class Retryable(Exception):
    """The world is not ready: offer the same again later."""


class Refusal(Exception):
    """A person's request cannot be done as it was asked: the sentence says why, and what can be asked instead."""


class Sealed(Exception):
    """Another installation key sealed it, or it was moved or changed: it concerns its own store or row alone."""


class Stop(Exception):
    """A fault of settings, migrations or roles: nothing is dead-lettered, the process ends and says what to do."""


_FAULTS_TOLD = 3


class Verdict(Enum):
    """What a failed batch needs."""

    AGAIN = "again"
    GUILTY = "guilty"
    STOP = "stop"


# SQLSTATE → verdict, the longest match wins. PostgreSQL's appendix A names the classes.
_BY_SQLSTATE = {
    "08": Verdict.AGAIN,  # connection lost
    "25006": Verdict.AGAIN,  # read-only transaction: a failover has not finished
    "25P03": Verdict.AGAIN,  # we idled in a transaction too long
    "40": Verdict.AGAIN,  # deadlock, serialization
    "53": Verdict.AGAIN,  # out of connections, memory, disk
    "55": Verdict.AGAIN,  # lock not available
    "57": Verdict.AGAIN,  # terminated, cancelled, shutting down
    "58": Verdict.AGAIN,  # the system below PostgreSQL
    "XX": Verdict.AGAIN,  # internal error
    "22": Verdict.GUILTY,  # a value that the column cannot hold
    "23": Verdict.GUILTY,  # a constraint refuses the row
    "54": Verdict.GUILTY,  # too large, too deep
    "28": Verdict.STOP,  # login refused
    "3D": Verdict.STOP,  # no such database
    "3F": Verdict.STOP,  # no such schema
    "42": Verdict.STOP,  # missing column, table, function or privilege
}


def verdict(error: BaseException) -> Verdict:
    """Say what a failed batch needs; what is unknown is a bug of one record until bisection shows otherwise."""
    if isinstance(error, Stop | TooMuchPower):
        return Verdict.STOP
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or "XX"
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2], Verdict.STOP)
    # InternalClientError: the driver lost track of a connection that ended in the middle of a statement.
    driver = asyncpg.InterfaceError | asyncpg.InternalClientError
    if isinstance(error, Retryable | KafkaError | OSError | TimeoutError | driver):
        return Verdict.AGAIN
    return Verdict.GUILTY


def kind(error: BaseException) -> str:
    """What to count it under: the SQLSTATE's class, else the exception's name."""
    if isinstance(error, asyncpg.PostgresError):
        return f"SQLSTATE {(error.sqlstate or 'XX')[:2]}"
    return type(error).__name__


def describe(error: BaseException) -> str:
    """A reason for people and logs. PostgreSQL's own text quotes values, so only its code and constraint are told."""
    if isinstance(error, Invalid | Retryable | Refusal | Sealed | Stop | TooMuchPower):
        return str(error)
    if isinstance(error, asyncpg.PostgresError):
        where = next(
            (v for k in ("constraint_name", "column_name", "table_name") if (v := getattr(error, k, None))),
            "",
        )
        name = type(error).__name__.removesuffix("Error")
        return f"PostgreSQL refuses it: {name} ({error.sqlstate})" + (f", {where}" if where else "")
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(_fault(one["loc"], one["type"], one["msg"]) for one in faults[:_FAULTS_TOLD])
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at line {error.lineno}"
    return type(error).__name__


def _fault(where: tuple[int | str, ...], kind: str, told: str) -> str:
    """pydantic's sentence. That of an unknown type quotes it, and it can be anything."""
    said = "its type is none of ours" if kind == "union_tag_invalid" else told.removeprefix("Value error, ")
    return f"{'.'.join(map(str, where))}: {said}" if where else said
