"""One person's names are written alike, and hashed so that nobody can guess them."""

import uuid

from services.kernel.forgetting.subjects import DIGEST_BYTES, Pseudonyms, Subject, subjects_named
from services.kernel.forgetting.unreadable import subjects_of_bytes
from services.kernel.record import Record
from services.kernel.secrets import Secrets

_OLD, _NEW = b"o" * 32, b"n" * 32
_STORE = uuid.uuid4()


def test_a_name_is_the_same_however_it_is_written() -> None:
    assert set(
        subjects_named(emails=[" Anna@Example.com ", "anna@example.com"], phones=["+31 (6) 12-34", "+3161234"])
    ) == {
        Subject("email", "anna@example.com"),
        Subject("phone", "+3161234"),
    }


def test_what_is_not_there_is_no_name() -> None:
    absent = subjects_named(customers=["", None], emails=[" "], phones=["-"], contacts=[None], users=[None])
    assert list(absent) == []


def test_a_digest_is_of_one_store_one_kind_and_one_installation() -> None:
    ours, theirs = Pseudonyms(Secrets(_NEW)), Pseudonyms(Secrets(_OLD))
    anna = Subject("customer", "7")
    all_ = {
        *ours.of(_STORE, anna), *ours.of(uuid.uuid4(), anna), *ours.of(_STORE, Subject("contact", "7")),
        *theirs.of(_STORE, anna),
    }  # fmt: skip
    assert {len(one) for one in all_} == {DIGEST_BYTES}
    assert len(all_) == 4


def test_who_was_erased_under_an_older_key_is_still_known() -> None:
    anna = Subject("customer", "7")
    before = Pseudonyms(Secrets(_OLD)).of(_STORE, anna)
    assert set(before) <= set(Pseudonyms(Secrets(_NEW, _OLD)).of(_STORE, anna))


def test_of_bytes_that_nobody_reads_all_that_could_be_a_name_counts() -> None:
    body = (
        b'{"sender": {"id": 5, "email": "A@b.nl"}, "conversation": {"id": 9}, "text": "call +31 6 1234 5678", "n": 1}'
    )
    record = Record("t", f"{_STORE}:contact:5".encode(), body, ())
    assert subjects_of_bytes(record) == set(
        subjects_named(contacts=[5], conversations=[9], emails=["a@b.nl"], phones=["+31612345678"])
    )
