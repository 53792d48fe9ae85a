"""Each fault of a Chatwoot server or of a store's account there is one finding with a cure."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.control.doctor.finding import Finding, Severity
from services.control.doctor.judging import stores
from services.control.doctor.seen import AccountSeen, ServerSeen, StoreRow
from tests.unit.control.doctor.seen import ACCOUNT, ATTRIBUTES, EVENTS, NOW, SERVER, STORE, URL, webhook
from tests.unit.control.doctor.test_installation import faults, one_of

OK, WARNING, FAULT = Severity.OK, Severity.WARNING, Severity.FAULT


def judged(row: StoreRow = STORE, seen: AccountSeen = ACCOUNT) -> Iterable[Finding]:
    return stores.store(row, seen, public_url=URL, events=EVENTS, attributes=ATTRIBUTES)


def of_server(seen: ServerSeen, *, calls: float = 40, private: bool = False) -> Iterable[Finding]:
    return stores.server(seen, calls_per_second=calls, private=private)


def test_well_is_well() -> None:
    assert faults(of_server(SERVER)) == []
    assert [(one.severity, one.store) for one in judged()] == [(OK, "nl")]


def test_a_store_of_which_nothing_was_ever_heard_is_not_said_to_be_heard() -> None:
    """Nor is there anything to hear: Chatwoot has no conversation of it."""
    new = replace(STORE, last_activity_at=None), replace(ACCOUNT, conversations=0, last_activity_at=None)
    assert [(one.severity, "nothing was heard" in one.seen) for one in judged(*new)] == [(OK, True)]
    assert [one.seen for one in judged()] == ["heard, and set up as wanted"]


@pytest.mark.parametrize(
    ("seen", "more", "severity", "words"),
    [
        (replace(SERVER, fault="Chatwoot answers 502"), {}, FAULT, "Chatwoot answers 502"),
        (replace(SERVER, ahead_seconds=40.0), {}, WARNING, "our clock is 40.0 s ahead of that of Chatwoot"),
        (replace(SERVER, release="4.14.1"), {"private": True}, WARNING, "sends no webhook to a private address"),
        (SERVER, {"calls": 100.0}, WARNING, "100 calls a second are more than the 3,000 a minute"),
    ],
)
def test_server(seen: ServerSeen, more: dict[str, Any], severity: Severity, words: str) -> None:
    one_of(of_server(seen, **more), severity, words)


@pytest.mark.parametrize("release", ["4.13.0", "3.16.0", None])
def test_earlier_releases_send_to_private_addresses(release: str | None) -> None:
    assert faults(of_server(replace(SERVER, release=release), private=True)) == []


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"sealed": ("event_secret",)}, FAULT, "event_secret cannot be opened"),
        ({"has_domains": False}, WARNING, "no domain"),
        ({"webhook_secrets": ("other",)}, FAULT, "signs with another secret"),
        ({"last_activity_at": NOW - timedelta(hours=2)}, WARNING, "no webhook was heard since 2026-03-10 10:00"),
        ({"last_activity_at": None}, WARNING, "no webhook was heard ever"),
    ],
)
def test_row(changed: dict[str, Any], severity: Severity, words: str) -> None:
    one_of(judged(replace(STORE, **changed)), severity, words)


@pytest.mark.parametrize(
    ("seen", "severity", "words"),
    [
        (AccountSeen(refused="Chatwoot answers 401 Unauthorized to webhooks"), FAULT, "401"),
        (replace(ACCOUNT, webhooks=()), FAULT, "none that leads here"),
        (webhook(url=f"{URL}/webhooks/chatwoot/de"), FAULT, "none that leads here"),
        (webhook(subscriptions=frozenset({"message_created"})), FAULT, "does not tell of contact_updated"),
        (replace(ACCOUNT, definitions=frozenset({"order_count"})), WARNING, "customer_tier"),
    ],
)
def test_account(seen: AccountSeen, severity: Severity, words: str) -> None:
    one_of(judged(seen=seen), severity, words)


def test_lost_key_is_a_fault_only_where_stores_are_attached() -> None:
    assert faults(stores.without_key(0)) == []
    one_of(stores.without_key(3), FAULT, "3 stores are attached")


def test_store_without_a_token_is_only_warned_of() -> None:
    one_of(judged(replace(STORE, token=None), AccountSeen()), WARNING, "API token: none")


def test_webhook_of_a_rotation_and_its_secret_are_ours() -> None:
    assert faults(judged(seen=webhook(url=f"{URL}/webhooks/chatwoot/nl?v=2"))) == []
    assert faults(judged(seen=webhook(secret=None))) == []


def test_unsigned_webhook_is_known_by_the_hash_of_its_token() -> None:
    hashes = [hashlib.sha256(one).digest() for one in (b"n3w", b"t0ken")]  # while it is rotated
    row = replace(STORE, path_tokens_sha256=hashes, webhook_secrets=())
    assert faults(judged(row, webhook(url=f"{URL}/webhooks/chatwoot/nl/t0ken", secret=None))) == []
    one_of(judged(row, webhook(url=f"{URL}/webhooks/chatwoot/nl/other", secret=None)), FAULT, "none that leads here")


def test_definitions_matter_only_where_attributes_are_sent_and_leave_the_house() -> None:
    bare = replace(ACCOUNT, definitions=frozenset())
    assert faults(judged(replace(STORE, push="off"), bare)) == []
    assert faults(judged(replace(STORE, allowed=frozenset()), bare)) == []


@pytest.mark.parametrize(
    ("addresses", "private"),
    [(["10.0.0.1", "fd00::1"], True), (["127.0.0.1"], True), (["10.0.0.1", "8.8.8.8"], False), ([], False)],
)
def test_private_is_what_has_no_public_address(addresses: list[str], private: bool) -> None:
    assert stores.is_private(addresses) is private
