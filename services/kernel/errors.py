"""The error words, each with who is concerned, and the one table that says what a database error means for a batch.

Exception
├── Invalid     this record can never be applied             → dead letter
├── Retryable   the world is not ready                       → the same batch again, with back-off
├── Refusal     what a person asks for cannot be done        → the verb or the HTTP answer says this sentence
├── Sealed      a secret that another key sealed, or damaged → that store or row goes without, the others go on
├── Broken      records of several stores, and no other, fail → the group keeps its place until this works again
└── Stop        the deployment is at fault                   → at its start the process ends with this sentence

Whatever else data raises, of whatever class, is set aside with the record or the person it came from.
"""

import errno
import json
import ssl
from enum import Enum

import asyncpg
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from pydantic import ValidationError

from db.address import BadAddress
from db.pool import TooMuchPower
from db.pooler import NoRole


class Invalid(Exception):
    """This record can never be applied: set it aside with this reason (for people; no personal data in it)."""


class Retryable(Exception):
    """The world is not ready: offer the same again later."""


class Refusal(Exception):
    """A person's request cannot be done as it was asked: the sentence says why, and what can be asked instead."""


class Sealed(Exception):
    """Another installation key sealed it, or it was moved or changed: it concerns its own store or row alone."""


class Broken(Exception):
    """Whatever several stores send fails in our own code, and nothing works: no poison, a broken release."""


class Stop(Exception):
    """A fault of settings, migrations or roles: nothing is dead-lettered, the process ends and says what to do."""


class Unreachable(KafkaConnectionError):  # type: ignore[misc]
    """No client of Kafka can be opened: the sentence says why, and which setting cures it. The world is not ready."""

    def __str__(self) -> str:
        return str(self.args[0])


_FAULTS_TOLD = 3
_LONGEST_REASON = 500  # a fault's place is made of the sender's own keys


class Verdict(Enum):
    """What a failed batch needs: the same again, the search for the guilty, or people: the deployment is at fault."""

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
    "21": Verdict.GUILTY,  # two rows of one key in one statement
    "54": Verdict.GUILTY,  # too large, too deep
    "P0": Verdict.GUILTY,  # a trigger of the host's refuses the row
    "0A": Verdict.STOP,  # a server too old
    "28": Verdict.STOP,  # login refused
    "3D": Verdict.STOP,  # no such database
    "3F": Verdict.STOP,  # no such schema
    "42": Verdict.STOP,  # missing column, table, function or privilege
}


# What a person wrote and no column can hold: asyncpg's own word for it, then PostgreSQL's for numbers, times and text.
_OF_A_GIVEN_VALUE = ("22000", "22003", "22007", "22008", "22021", "22P05")
_REFUSES_A_VALUE = ("21", "22", "23", "54", "P0")
_OF_OUR_SQL = ("42", "3F")
_KAFKA_FORBIDS = (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
# What the system says of a value, not of itself: a moment that no clock knows, a name that no path can have.
_OF_A_VALUE = (
    errno.EOVERFLOW,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)
# InternalClientError: the driver lost track of a connection that ended in the middle of a statement.
_ELSEWHERE = (KafkaError, OSError, TimeoutError, asyncpg.InterfaceError)
_AWAY = (Retryable, KafkaError, OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, MemoryError)


def verdict(error: BaseException) -> Verdict:
    """Say what a failed batch needs; what is unknown is a bug of one record until bisection shows otherwise."""
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if isinstance(error, (Stop, Broken, TooMuchPower, NoRole, BadAddress, *_KAFKA_FORBIDS)):
        return Verdict.STOP
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return Verdict.AGAIN  # a migration changed a table under us: the driver has forgotten all plans by now
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or "XX"
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2], Verdict.GUILTY)
    if isinstance(error, OSError) and error.errno in _OF_A_VALUE:
        return Verdict.GUILTY
    return Verdict.AGAIN if isinstance(error, _AWAY) else Verdict.GUILTY


def _of_group(group: BaseExceptionGroup[BaseException]) -> Verdict:
    """A fault of the deployment counts most; a group is the world's alone when all of it is."""
    verdicts = {verdict(one) for one in group.exceptions}
    return next(one for one in (Verdict.STOP, Verdict.GUILTY, Verdict.AGAIN) if one in verdicts)


def may_be_of_a_record(error: BaseException) -> bool:
    """Whether what looks like an outage could be one record's doing: a lost connection could not."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "XX") in ("57014", "53200") or (error.sqlstate or "XX").startswith("XX")
    away = isinstance(error, Retryable | KafkaError | ConnectionError)
    return not away and isinstance(error, _AWAY)


def may_be_of_a_store(error: BaseException) -> bool:
    """Whether work that fails for one store can go on with the next: it could not without a connection or a right."""
    if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "XX").startswith(("40", "55")):
        return True  # somebody else works on what is this store's
    doubtful = isinstance(error, asyncpg.PostgresError) and may_be_of_a_record(error)
    return doubtful or isinstance(error, Retryable) or verdict(error) is Verdict.GUILTY


def given_value(error: BaseException) -> str | None:
    """The sentence for who gave a value that no column can hold; None: it is none of that."""
    if not isinstance(error, asyncpg.PostgresError) or error.sqlstate not in _OF_A_GIVEN_VALUE:
        return None
    return f"PostgreSQL cannot hold a value that was given, a number too large or an odd character ({describe(error)})"


def is_bug(error: BaseException) -> bool:
    """Neither PostgreSQL nor a reader of ours refused a value: our own code failed."""
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "XX").startswith(_REFUSES_A_VALUE)
    return not isinstance(error, Invalid | ValueError)


def kind(error: BaseException) -> str:
    """What to count it under: the SQLSTATE's class, else the exception's name."""
    if isinstance(error, asyncpg.PostgresError):
        return f"SQLSTATE {(error.sqlstate or 'XX')[:2]}"
    return type(error).__name__


def describe(error: BaseException) -> str:
    """A reason for people, logs and tables: of bounded length, and no character that PostgreSQL's text cannot hold."""
    return _reason(error)[:_LONGEST_REASON].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _reason(error: BaseException) -> str:
    if isinstance(error, Invalid | Retryable | Refusal | Sealed | Broken | Stop | Unreachable | TooMuchPower | NoRole):
        return str(error)
    if isinstance(error, BadAddress):
        return f"DATABASE_URL {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not accepted: {error.verify_message}"
    if isinstance(error, asyncpg.PostgresError):
        return _of_postgres(error)
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(_fault(one["loc"], one["type"], one["msg"]) for one in faults[:_FAULTS_TOLD])
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at line {error.lineno}"
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(sorted({describe(one) for one in error.exceptions})[:_FAULTS_TOLD])
    return type(error).__name__


def _of_postgres(error: asyncpg.PostgresError) -> str:
    """Its own text quotes values, so only code and constraint are told; of a deployment's fault, what is missing."""
    name, state = type(error).__name__.removesuffix("Error"), error.sqlstate or ""
    if state[:2] in _OF_OUR_SQL:
        return f"PostgreSQL refuses it: {name} ({state}), {error.args[0] if error.args else ''}"
    where = next(
        (v for k in ("constraint_name", "column_name", "table_name") if (v := getattr(error, k, None))),
        "",
    )
    return f"PostgreSQL refuses it: {name} ({state})" + (f", {where}" if where else "")


def cure(error: BaseException) -> str:
    """What a person can do about what no retry mends."""
    state = (error.sqlstate or "")[:2] if isinstance(error, asyncpg.PostgresError) else ""
    if state in ("28", "3D"):
        return "check DATABASE_URL: its login and its database"
    if isinstance(error, NoRole):
        return "run `wootstream migrate`"
    if state in _OF_OUR_SQL:
        return "run `wootstream migrate` of this release: a table, a column or a grant of its role is missing"
    if isinstance(error, _KAFKA_FORBIDS):
        return "let Kafka's user read, write and describe the topics and groups: see its ACLs and WOOTSTREAM_KAFKA_…"
    if isinstance(error, TooMuchPower | Stop):
        return "mend the deployment"
    if isinstance(error, (asyncpg.PostgresError, *_ELSEWHERE)) and verdict(error) is Verdict.AGAIN:
        return "see that PostgreSQL and Kafka run, and how they are reached; it goes on by itself"
    return "deploy a release that mends it, or the one before; it goes on by itself"


_TYPELESS = {"union_tag_invalid": "its type is none of ours", "union_tag_not_found": "it has no type of ours"}


def _fault(where: tuple[int | str, ...], kind: str, sentence: str) -> str:
    """pydantic's sentence. That of an unknown type quotes it, and it can be anything; of none, says it in pydantic's
    own words."""
    text = _TYPELESS.get(kind) or sentence.removeprefix("Value error, ")
    return f"{'.'.join(map(str, where))}: {text}" if where else text
