"""Each fault of machine, Kafka and PostgreSQL is one finding with a cure; where all is well there is none."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.control.doctor.finding import Finding, Severity, gravest
from services.control.doctor.judging import installation
from services.control.doctor.seen import RoleSeen
from tests.unit.control.doctor.seen import DATABASE, KAFKA, MACHINE, NOW, TOPIC, topic

SETTINGS = TOPIC.overrides(min_insync_replicas=2)
OK, WARNING, FAULT = Severity.OK, Severity.WARNING, Severity.FAULT


def faults(findings: Iterable[Finding]) -> list[tuple[Severity, str]]:
    """What is not well, and that each has its cure."""
    found = [one for one in findings if one.severity]
    assert all(one.cure for one in found)
    return [(one.severity, f"{one.about}: {one.seen}") for one in found]


def one_of(findings: Iterable[Finding], severity: Severity, words: str) -> None:
    [(given, text)] = faults(findings)
    assert given is severity
    assert words in text


def test_well_is_well() -> None:
    every = [
        *installation.machine(MACHINE),
        *installation.kafka(KAFKA, [TOPIC]),
        *installation.database(DATABASE, NOW),
    ]
    assert faults(every) == []
    assert gravest(every) is OK


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"python": (3, 10)}, FAULT, "Python: 3.10"),
        ({"java": ""}, FAULT, "the local stack's Kafka needs it"),
        ({"writable": False}, FAULT, "cannot be written"),
        ({"mode": 0o755}, WARNING, "every account may open /data/spool (0755)"),
        ({"free_bytes": 2**30}, WARNING, "1.0 GiB free"),
        ({"key_from": ""}, WARNING, "none was made yet"),
        ({"public_addresses": ()}, FAULT, "hooks.example is a name that nobody knows"),
        ({"public_url": "http://hooks.example"}, WARNING, "not encrypted"),
    ],
)
def test_machine(changed: dict[str, Any], severity: Severity, words: str) -> None:
    one_of(installation.machine(replace(MACHINE, **changed)), severity, words)


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"topics": {}}, FAULT, "topic shop.events: is absent"),
        ({"security": "plaintext"}, WARNING, "plaintext to k1, k2"),
        ({"ahead_seconds": -7.0}, WARNING, "our clock is 7.0 s behind that of Kafka"),
        ({"security": "plaintext", "servers": ["127.0.0.1:9092", "[::1]:9092"]}, OK, ""),
    ],
)
def test_cluster(changed: dict[str, Any], severity: Severity, words: str) -> None:
    findings = list(installation.kafka(replace(KAFKA, **changed), [TOPIC]))
    assert gravest(findings) is severity
    assert not words or words in faults(findings)[0][1]


def test_fewer_replicas_than_brokers_could_bear() -> None:
    seen = replace(topic(settings=TOPIC.overrides(min_insync_replicas=1)), replication=1)
    one_of(installation.kafka(seen, [TOPIC]), WARNING, "1 replicas on 3 brokers")


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"settings": SETTINGS | {"retention.ms": "1"}}, FAULT, "retention.ms is 1, not 18144"),
        ({"settings": {}}, FAULT, "cleanup.policy is None, not delete"),
        ({"leaderless": 2, "behind": 2}, FAULT, "2 partitions have no leader"),
        ({"behind": 1}, WARNING, "of 1 partitions a replica lags"),
        ({"replicas": 1}, WARNING, "1 replicas, not 3"),
        ({"partitions": 6}, WARNING, "6 partitions, not 12"),
    ],
)  # fmt: skip
def test_topic(changed: dict[str, Any], severity: Severity, words: str) -> None:
    one_of(installation.kafka(topic(**changed), [TOPIC]), severity, words)


@pytest.mark.parametrize(
    ("changed", "severity", "words"),
    [
        ({"version": 130_011}, FAULT, "PostgreSQL: 13.11"),
        ({"missing": ("0025_x.sql",), "lacking": ("much",), "partitions_until": None}, FAULT, "missing: 0025_x.sql"),
        ({"newer": ("0099_z.sql",)}, WARNING, "1 are of a newer release than this one: 0099_z.sql"),
        ({"changed": ("0003_y.sql",)}, FAULT, "applied with other text: 0003_y.sql"),
        ({"roles": (RoleSeen("wootstream_service", bypasses=True, granted=True),)}, FAULT, "bypasses row security"),
        ({"roles": (RoleSeen("wootstream_service", bypasses=False, granted=False),)}, FAULT, "may not become"),
        ({"unprotected": ("wootstream.due",)}, FAULT, "row security of wootstream.due is not forced"),
        ({"public": ("wootstream.due",)}, FAULT, "everybody may use wootstream.due"),
        ({"lacking": ("wootstream_ingress: insert on wootstream.refusals",)}, FAULT, "insert on wootstream.refusals"),
        ({"partitions_until": None}, FAULT, "none for today"),
        ({"partitions_until": datetime(2026, 4, 1, tzinfo=UTC)}, WARNING, "end on 2026-04-01"),
        ({"ahead_seconds": -7.5}, WARNING, "our clock is 7.5 s behind that of PostgreSQL"),
        ({"standby": True, "read_only": True}, FAULT, "takes no change: it is a standby"),
        ({"read_only": True}, FAULT, "takes no change: it is read-only"),
        ({"encrypted": False}, WARNING, "not encrypted"),
        ({"pooled": True}, WARNING, "need the server itself"),
        ({"lowers_all": False}, WARNING, "takes É and é for two letters"),
    ],
)  # fmt: skip
def test_database(changed: dict[str, Any], severity: Severity, words: str) -> None:
    one_of(installation.database(replace(DATABASE, **changed), NOW), severity, words)


def test_partitions_that_end_in_thirty_days_are_enough() -> None:
    seen = replace(DATABASE, partitions_until=NOW + timedelta(days=30))
    assert faults(installation.database(seen, NOW)) == []


def test_topic_without_its_bound_in_bytes_is_told() -> None:
    one_of(installation.kafka(replace(KAFKA, topic_bytes=2**30), [TOPIC]), FAULT, "retention.bytes is None")
