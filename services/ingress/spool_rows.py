"""What lies in a spool file: chunks that wait, and what is set aside until the next start."""

from collections.abc import Sequence
from dataclasses import dataclass

SCHEMA = """
create table if not exists about (key_id text not null);
create table if not exists chunks
  (id integer primary key, accepted_at real not null, records int not null, size int not null, sealed blob not null);
create table if not exists refused (
  id integer primary key, reason text not null, topic text not null,
  accepted_at real not null, records int not null, size int not null, sealed blob not null
);
"""
# For the `refused` of an earlier release.
ADD_TOPIC = "alter table refused add column topic text not null default ''"


@dataclass(frozen=True, slots=True)
class New:
    """A chunk to be written: when its first record was accepted (seconds since 1970), and its size before sealing."""

    accepted_at: float
    records: int
    size: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk as it lies in the file."""

    id: int
    records: int
    size: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a chunk that is set aside until the next start, and why; no topic where it cannot be read."""

    reason: str
    records: int
    size: int
    sealed: bytes
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a chunk: sealed anew with the records that remain, or gone; and what of it is set aside."""

    id: int
    records: int
    remaining: int = 0
    size: int = 0
    sealed: bytes = b""
    refused: Sequence[Refused] = ()
