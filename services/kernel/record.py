"""Record: what was accepted at a door; one type at the door, in the spool, topic, handler, dead letter and redrive."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, Self
from uuid import UUID

import orjson
import uuid_utils

from schemas.bounds import LATEST
from schemas.bounds import moment as in_bounds
from services.kernel.errors import Invalid

Headers = tuple[tuple[str, bytes], ...]
SEALED = "sealed"  # the first header of a record whose key and value stand encrypted in its value
_LONGEST_UUID = 45  # as a URN
_LONGEST_ID = 255
_STORE, _RECEIVED_AT = 1, 3  # which of its headers, as `accepted` writes them
_OURS = ("event", "store", "id", "received-at")


def store_of(name: str) -> UUID | None:
    """The store that a header names, or None."""
    return _uuid(name) if len(name) <= _LONGEST_UUID else None


def text_of(value: bytes | None) -> str:
    """A header's value as text. Bytes that are none are shown escaped, never raised."""
    return (value or b"").decode("utf-8", "backslashreplace")


@lru_cache(maxsize=65_536)  # a UUID costs 2 µs to read, and stores are few
def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


# Stores are few: the same bytes are the same text, whose hash is reckoned once.
_short_text = lru_cache(maxsize=65_536)(text_of)


def _name(store: bytes | None) -> str:
    return _short_text(store) if store and len(store) <= _LONGEST_UUID else text_of(store)


class Record:
    """A key, a value and ASCII headers. Compared by identity: two deliveries are two records."""

    __slots__ = (
        "_as_kept",
        "_received_at",
        "_received_at_text",
        "headers",
        "is_closed",
        "key",
        "offset",
        "partition",
        "store_name",
        "topic",
        "value",
    )

    is_closed: bool  # sealed, and nobody has opened it yet: then nothing can be read of it but its headers
    store_name: str  # the `store` header as it is, "" without one; kept, for every step of a batch asks for it
    _received_at_text: bytes | None  # the `received-at` header as it is; read with the store's, while both are at hand

    def __init__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        *,
        partition: int = -1,
        offset: int = -1,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
        self.partition = partition
        self.offset = offset
        self._received_at: datetime | None = None
        self._as_kept: tuple[bytes | None, bytes] | None = None
        self.is_closed = bool(headers) and headers[0][0] == SEALED

    @classmethod
    def accepted(
        cls,
        topic: str,
        *,
        key: bytes,
        value: bytes,
        store: UUID,
        event: str,
        origin: str,
        received_at: datetime,
        extra: Headers = (),
    ) -> Self:
        """Make the record of something accepted now; its id is a UUIDv7. `extra` are headers, ASCII."""
        moment = received_at if received_at.tzinfo is UTC else received_at.astimezone(UTC)
        headers = (
            ("event", event.encode("ascii", "replace")),  # first: consumers look at it before anything else
            ("store", _text(store)),
            ("id", str(uuid_utils.uuid7()).encode()),
            ("received-at", orjson.dumps(moment)[1:-1]),  # RFC 3339, in a third of isoformat's time
            ("origin", origin.encode("ascii", "replace")),
            *extra,
        )
        return cls(topic, key, value, headers)

    @classmethod
    def consumed(cls, raw: Any) -> Self:
        """Wrap aiokafka's ConsumerRecord; but for its store nothing is decoded until somebody asks."""
        one = cls.__new__(cls)  # past __init__: its call takes as long as all of this
        one.topic = raw.topic
        one.key = raw.key
        one.value = raw.value or b""
        one.headers = headers = raw.headers
        one.partition = raw.partition
        one.offset = raw.offset
        one._received_at = one._as_kept = None
        one.is_closed = bool(headers) and headers[0][0] == SEALED
        ours = headers[1:] if one.is_closed else headers
        if len(ours) > _RECEIVED_AT and (ours[0][0], ours[1][0], ours[2][0], ours[3][0]) == _OURS:
            one.store_name = _name(ours[_STORE][1])
            one._received_at_text = ours[_RECEIVED_AT][1]
        return one  # of another form, both are looked for when asked

    def __getattr__(self, name: str) -> str | bytes | None:
        """Called for an empty slot alone, so only the first time costs anything."""
        if name == "store_name":
            self.store_name = _name(self._first("store"))
            return self.store_name
        if name == "_received_at_text":
            self._received_at_text = self._first("received-at")
            return self._received_at_text
        raise AttributeError(name)

    def header(self, name: str) -> str | None:
        """A header's text, or None; of one that comes several times, the first."""
        for key, value in self.headers:
            if key == name:
                return text_of(value)
        return None

    def _first(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def coming_from(self, origin: str) -> "Record":
        """The same record with another first `origin`, told by it if it had none; its other headers as they came."""
        headers = [*self.headers]
        at = next((place for place, (name, _) in enumerate(headers) if name == "origin"), len(headers))
        headers[at : at + 1] = [("origin", origin.encode())]
        return Record(self.topic, self.key, self.value, tuple(headers), partition=self.partition, offset=self.offset)

    def open_as(self, key: bytes, value: bytes) -> None:
        """From now on it reads as the door took it."""
        self._as_kept, self.key, self.value = (self.key, self.value), key, value
        self.is_closed = False

    @property
    def as_kept(self) -> tuple[bytes | None, bytes]:
        """Key and value as they stand in the topic, and are to be set aside: sealed, where it came so."""
        return self._as_kept or (self.key, self.value)

    @property
    def event(self) -> str | None:
        return self.header("event")

    @property
    def id(self) -> str | None:
        return self.header("id")

    @property
    def origin(self) -> str | None:
        return self.header("origin")

    @property
    def store(self) -> UUID:
        """The tenant, from the URL and the secret that verified, never from a body. Raises Invalid."""
        store = store_of(self.store_name)
        if store is None:
            raise Invalid("the `store` header is missing or is no UUID")
        return store

    @property
    def received_at(self) -> datetime:
        """When the door accepted it; kept, for consumers ask for it twice. Raises Invalid."""
        at = self._received_at or self._told_moment()
        if at is None:
            raise Invalid("the `received-at` header is missing or is no RFC 3339 time from 1970 to 2199")
        return at

    def received_after(self, moment: datetime) -> bool:
        """Whether it says that the door accepted it later. One that does not say may be as old as any."""
        at = self._received_at or self._told_moment()
        return at is not None and at > moment

    def _told_moment(self) -> datetime | None:
        try:
            self._received_at = in_bounds(datetime.fromisoformat((self._received_at_text or b"").decode()))
        except ValueError:
            return None
        return self._received_at

    @property
    def identity(self) -> str:
        """What tells this record from another at the same offset of a topic that was made again.

        An id that the ledger could not keep is none: whoever writes a topic himself may call a record anything.
        """
        name = self.id
        if name and len(name) <= _LONGEST_ID and "\0" not in name:
            return name
        return hashlib.sha256(self.value).hexdigest()


def all_received_after(records: Iterable[Record], moment: datetime) -> bool:
    """Whether each of these says so where our doors write it. False does not mean that it is not so.

    For all at once in a fraction of the time that it takes one by one.
    """
    told = [record._received_at_text or b"" for record in records]
    try:
        received = [*map(datetime.fromisoformat, map(bytes.decode, told))]
        return moment < min(received) and max(received) < LATEST
    except (TypeError, ValueError):  # none, or one without a zone, or no moment
        return False


class Carries(Protocol):
    """An event of a service: whatever it is, it carries the record it came from."""

    @property
    def record(self) -> Record: ...


@lru_cache(maxsize=10_000)
def _text(store: UUID) -> bytes:
    return str(store).encode()
