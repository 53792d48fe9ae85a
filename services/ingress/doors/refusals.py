"""Why a door refuses, and what it answers: the only place that knows both.

Exception
└── Refused   this request is not taken; no retry of the same request helps, except after those of RETRY_SECONDS
"""

from enum import StrEnum
from functools import cache
from typing import Literal, NamedTuple
from uuid import UUID

from services.ingress.doors.answer import AnswerHeaders, DoorAnswer, json_answer


class Reason(StrEnum):
    """The name under which /metrics and `wootstream tail --refused` count it."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"  # nested more than any sender of ours nests
    TOO_MANY = "too_many_values"  # in one body: reading them would hold up everybody else
    NO_EVENT = "no_event"  # JSON, but not what Chatwoot, a storefront or a shop sends
    NONE_TAKEN = "none_taken"  # each event of the request was refused; the answer says why
    GONE = "gone"  # the sender hung up before its body was whole
    UNKNOWN_STORE = "unknown_store"
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    SKEWED = "skewed"  # rightly signed, at another time: somebody's clock is wrong, or it is a replay
    BAD_TOKEN = "bad_token"  # noqa: S105  a reason's name
    OTHER_ACCOUNT = "other_account"
    FOREIGN_ORIGIN = "foreign_origin"
    NO_CONSENT = "no_consent"
    NOT_VOUCHED = "not_vouched"
    NO_SUCH_PATH = "no_such_path"
    WRONG_METHOD = "wrong_method"
    SLOW = "slow"
    TOO_LARGE = "too_large"
    WRONG_TYPE = "wrong_type"
    OVER_QUOTA = "over_quota"
    NO_ROOM = "no_room"
    NOT_LOOKED_UP = "not_looked_up"  # a name not known here, and PostgreSQL has not said whether there is such a store
    NOT_OPENED = "not_opened"  # there is such a store, and no installation key here opens what would prove a request
    NEVER_TAKEN = "never_taken"  # it fits our limits, and Kafka refuses it for good: somebody changed the topic


# Reason → status and what the sender is told. All 401 read alike: nobody learns which stores there are.
TABLE: dict[Reason, tuple[int, str]] = {
    Reason.NOT_JSON: (400, "the body is not JSON"),
    Reason.TOO_DEEP: (400, "the body is nested too deeply"),
    Reason.NO_EVENT: (400, "the body is no event of this door"),
    Reason.NONE_TAKEN: (400, "none of the events was taken"),
    Reason.GONE: (400, "the body was cut off"),
    Reason.UNKNOWN_STORE: (401, "unauthorized"),
    Reason.UNSIGNED: (401, "unauthorized"),
    Reason.BAD_SIGNATURE: (401, "unauthorized"),
    Reason.SKEWED: (401, "unauthorized"),
    Reason.BAD_TOKEN: (401, "unauthorized"),
    Reason.OTHER_ACCOUNT: (403, "the body names another account"),
    Reason.FOREIGN_ORIGIN: (403, "this origin is none of the store's domains"),
    Reason.NO_CONSENT: (403, "the visitor has not consented to analytics"),
    Reason.NOT_VOUCHED: (403, "the proof of the customer is wrong or has expired"),
    Reason.NO_SUCH_PATH: (404, "nothing here"),
    Reason.WRONG_METHOD: (405, "another method, please"),
    Reason.SLOW: (408, "the body took too long"),
    Reason.TOO_LARGE: (413, "too large"),
    Reason.TOO_MANY: (413, "too many values"),
    Reason.WRONG_TYPE: (415, "another content type, please"),
    Reason.OVER_QUOTA: (429, "too many of these in a minute"),
    Reason.NO_ROOM: (503, "cannot be kept just now"),
    Reason.NOT_LOOKED_UP: (503, "cannot be looked up just now"),
    Reason.NOT_OPENED: (503, "cannot be verified just now"),
    Reason.NEVER_TAKEN: (503, "cannot be kept as things are"),
}
# What is left of their bodies could not be told from the next request.
_LAST = frozenset({Reason.SLOW, Reason.GONE})
RETRY_SECONDS = {Reason.OVER_QUOTA: 60, Reason.NO_ROOM: 5, Reason.NOT_LOOKED_UP: 5, Reason.NOT_OPENED: 5}


def _answer(reason: Reason, status: int, sentence: str) -> DoorAnswer:
    headers: AnswerHeaders = ((b"connection", b"close"),) if reason in _LAST else ()
    if reason in RETRY_SECONDS:
        headers = ((b"retry-after", b"%d" % RETRY_SECONDS[reason]),)
    return json_answer(status, {"error": sentence}, headers=headers)


ANSWERS = {reason: _answer(reason, *row) for reason, row in TABLE.items()}


class Refused(Exception):
    """Not taken. `store` once it is proved whose request it is; where the table says too little to mend it, `sentence`
    says more, or `answer`."""

    def __init__(
        self, reason: Reason, sentence: str = "", *, store: UUID | None = None, answer: DoorAnswer | None = None
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.store = store
        self.answer = answer or (_in_other_words(reason, sentence) if sentence else ANSWERS[reason])


@cache
def _in_other_words(reason: Reason, sentence: str) -> DoorAnswer:
    return _answer(reason, TABLE[reason][0], sentence)


@cache
def wrong_method(allowed: bytes) -> DoorAnswer:
    """HTTP wants a 405 to name the methods that there are."""
    return json_answer(405, {"error": TABLE[Reason.WRONG_METHOD][1]}, headers=((b"allow", allowed),))


EventFault = Literal["invalid", "too_old", "ahead", "no_consent"]


class EventRefusal(NamedTuple):
    """Why the event of this number in the request, from 0, was refused; `reason` is for the sender."""

    number: int
    fault: EventFault
    reason: str
