"""This machine, Kafka and PostgreSQL."""

import ipaddress
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from schemas.topics import Topic
from services.control.doctor.finding import Finding, fault, warning, well
from services.control.doctor.seen import DatabaseSeen, KafkaSeen, MachineSeen, TopicSeen

OLDEST_POSTGRESQL = 140_000
OLDEST_PYTHON = (3, 11)
PARTITIONS_AHEAD = timedelta(days=30)
MOST_SKEW_SECONDS = 5.0  # of the 300 s within which a signed timestamp is taken, and of what orders facts
_MIGRATE = "run `wootstream migrate`"
_TOPICS = "run `wootstream topics`"


def machine(seen: MachineSeen) -> Iterator[Finding]:
    """This process, its disk, its key and its name in the world."""
    yield well("wootstream", seen.release)
    text = ".".join(map(str, seen.python))
    if seen.python < OLDEST_PYTHON:
        yield fault("Python", text, "install Python 3.11 or later")
    else:
        yield well("Python", text)
    if seen.java:
        yield well("Java", seen.java)
    elif seen.java is not None:
        yield fault(
            "Java", "the local stack's Kafka needs it, and its package is not here",
            "run `make install`, or STACK=docker, or name a Kafka in KAFKA_BOOTSTRAP_SERVERS",
        )  # fmt: skip
    yield from _disk(seen)
    if seen.key_from:
        yield well("installation key", seen.key_from)
    else:
        yield warning(
            "installation key", "none is given, and none was made yet",
            "set WOOTSTREAM_INSTALLATION_KEY_FILE; without it each machine makes one of its own",
        )  # fmt: skip
    yield from _public_url(seen)


def _disk(seen: MachineSeen) -> Iterator[Finding]:
    if not seen.writable:
        yield fault(
            "disk", f"{seen.directory} cannot be written", "mount it writable, or set WOOTSTREAM_DATA_DIRECTORY"
        )
        return
    if seen.mode is not None and seen.mode & 0o007:
        yield warning(
            "disk", f"every account may open {seen.directory} ({seen.mode:04o})", f"chmod 0750 {seen.directory}"
        )
    if seen.free_bytes < seen.spool_bytes:
        yield warning(
            "disk", f"{_gib(seen.free_bytes)} free, and without Kafka the spool may grow by {_gib(seen.spool_bytes)}",
            "free space, or lower WOOTSTREAM_SPOOL_BYTES",
        )  # fmt: skip
    else:
        yield well("disk", f"{_gib(seen.free_bytes)} free at {seen.directory}")


def _public_url(seen: MachineSeen) -> Iterator[Finding]:
    about, parts = "public URL", urlsplit(seen.public_url)
    if not seen.public_addresses:
        yield fault(
            about, f"{parts.hostname} is a name that nobody knows", "set WOOTSTREAM_PUBLIC_URL, or mend the DNS"
        )
    elif parts.scheme == "http" and not _loopback(seen.public_addresses):
        yield warning(about, f"{seen.public_url} is not encrypted", "put TLS before it, and say https://")
    else:
        yield well(about, seen.public_url)


def kafka(seen: KafkaSeen, wanted: Sequence[Topic]) -> Iterator[Finding]:
    """The cluster and every topic's settings."""
    about = "Kafka"
    release = "4.0 or later" if seen.since_4 else "before 4.0"
    yield well(about, f"{seen.brokers} brokers, {release}")
    if seen.ahead_seconds is not None:
        yield skew(about, seen.ahead_seconds)
    hosts = [one.rpartition(":")[0].strip("[]") for one in seen.servers]
    if seen.security in ("plaintext", "sasl_plaintext") and not all(_is_loopback(host) for host in hosts):
        yield warning(
            "Kafka security", f"{seen.security} to {', '.join(hosts)}: whoever is on the way reads and writes",
            "set WOOTSTREAM_KAFKA_SECURITY=sasl_tls and its neighbours",
        )  # fmt: skip
    if seen.replication < 3 <= seen.brokers:
        yield warning(
            about, f"{seen.replication} replicas on {seen.brokers} brokers: one lost disk loses records",
            f"set WOOTSTREAM_KAFKA_REPLICATION=3, {_TOPICS} and reassign the partitions",
        )  # fmt: skip
    for topic in wanted:
        found = seen.topics.get(topic.name)
        if found is None:
            yield fault(f"topic {topic.name}", "is absent", _TOPICS)
        else:
            yield from _topic(topic, found, seen)


def _topic(wanted: Topic, seen: TopicSeen, cluster: KafkaSeen) -> Iterator[Finding]:
    about, replication = f"topic {wanted.name}", cluster.replication
    overrides = wanted.overrides(min_insync_replicas=max(1, replication - 1), most_bytes=cluster.topic_bytes)
    differ = [
        f"{name} is {seen.settings.get(name)}, not {value}"
        for name, value in overrides.items()
        if seen.settings.get(name) != value
    ]
    if differ:
        yield fault(about, "; ".join(differ), _TOPICS)
    if seen.leaderless:
        yield fault(about, f"{seen.leaderless} partitions have no leader", "start the brokers that are down")
    elif seen.behind:
        yield warning(about, f"of {seen.behind} partitions a replica lags or is down", "see the brokers' logs")
    if seen.replicas < replication:
        yield warning(
            about, f"{seen.replicas} replicas, not {replication}", "reassign it with kafka-reassign-partitions"
        )
    if seen.partitions < wanted.partitions:
        yield warning(
            about, f"{seen.partitions} partitions, not {wanted.partitions}: as many consumers at most",
            f"kafka-topics --alter --topic {wanted.name} --partitions {wanted.partitions}",
        )  # fmt: skip
    if not differ and not seen.leaderless:
        yield well(about, f"{seen.partitions} partitions, settings as wanted")


def database(seen: DatabaseSeen, now: datetime) -> Iterator[Finding]:
    """PostgreSQL: release, migrations, roles, row security, partitions, clock, the way to it."""
    about, text = "PostgreSQL", f"{seen.version // 10_000}.{seen.version % 10_000}"
    if seen.version < OLDEST_POSTGRESQL:
        yield fault(about, text, "upgrade to PostgreSQL 14 or later")
    elif seen.standby:
        yield fault(about, "takes no change: it is a standby", "lead DATABASE_URL to the primary, or promote this one")
    elif seen.read_only:
        yield fault(
            about, "takes no change: it is read-only",
            "`alter system reset default_transaction_read_only`, or what sets it for the login or the database; a"
            " service that hosts it sets it where the disk is full",
        )  # fmt: skip
    else:
        yield well(about, text)
    if not seen.lowers_all:
        # Keys of e-mail addresses are made by lower(); whoever is erased is looked for in small letters.
        yield warning(
            about, "takes É and é for two letters: people whose e-mail address has such capitals are not found by it",
            "restore a dump into a database that has `encoding UTF8 locale_provider builtin builtin_locale 'C.UTF-8'`"
            " (before PostgreSQL 17: `locale 'C.UTF-8'`), not the locale C",
        )  # fmt: skip
    yield from _migrations(seen)
    if not seen.missing:  # what they would make is not missed by name
        yield from _roles(seen)
        yield from _partitions(seen, now)
    yield skew(about, seen.ahead_seconds)
    if not (seen.encrypted or seen.local or seen.pooled):
        yield warning(about, "the connection is not encrypted", "add sslmode=verify-full to DATABASE_URL")
    if seen.pooled and not seen.has_direct_url:
        yield warning(
            "pooler", "DATABASE_URL leads through one; `migrate`, and doors told of changes, need the server itself",
            "set DATABASE_DIRECT_URL",
        )  # fmt: skip
    elif seen.pooled:
        yield well("pooler", "DATABASE_URL leads through one, DATABASE_DIRECT_URL is there")


def _migrations(seen: DatabaseSeen) -> Iterator[Finding]:
    if seen.missing:
        yield fault("migrations", f"{len(seen.missing)} are missing: {', '.join(seen.missing)}", _MIGRATE)
    if seen.changed:
        yield fault("migrations", f"applied with other text: {', '.join(seen.changed)}", "install the release that was")
    if seen.newer:
        # No fault: so it is between `migrate` and the roll, and where an upgrade went back.
        yield warning(
            "migrations", f"{len(seen.newer)} are of a newer release than this one: {', '.join(seen.newer)}",
            "install that release, beside which only the one before it is known to work",
        )  # fmt: skip
    if not (seen.missing or seen.newer or seen.changed):
        yield well("migrations", "all applied")


def _roles(seen: DatabaseSeen) -> Iterator[Finding]:
    faults = [
        *(f"{one.name} bypasses row security" for one in seen.roles if one.bypasses),
        *(f"row security of {table} is not forced" for table in seen.unprotected),
        *(f"everybody may use {table}" for table in seen.public),
    ]
    for one in faults:
        yield fault("roles", one, f"{_MIGRATE} of this release, and see who changed it")
    for role in seen.roles:
        if not role.granted:
            yield fault("roles", f"the login may not become {role.name}", f"grant {role.name} to it")
    if seen.lacking:
        yield fault("grants", "; ".join(seen.lacking), f"{_MIGRATE}: a grant is missing")
    if not faults and not seen.lacking and all(one.granted for one in seen.roles):
        yield well("roles", f"{len(seen.roles)} roles with what they need, row security forced")


def _partitions(seen: DatabaseSeen, now: datetime) -> Iterator[Finding]:
    about, until = "widget partitions", seen.partitions_until
    cure = "run `wootstream partitions`, which makes them; `wootstream run widget` does so daily, see its log"
    if until is None or until <= now:
        yield fault(about, "there is none for today: events of the storefronts cannot be kept", cure)
    elif until - now < PARTITIONS_AHEAD:
        yield warning(about, f"end on {until:%F}", cure)
    else:
        yield well(about, f"until {until:%F}")


def skew(whose: str, ahead_seconds: float, *, store: str | None = None) -> Finding:
    """Our clock against somebody else's."""
    text = f"our clock is {abs(ahead_seconds):.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} that of {whose}"
    if abs(ahead_seconds) > MOST_SKEW_SECONDS:
        return warning("time", text, "let both machines follow the same time servers (timedatectl, chronyc tracking)")
    return well("time", text)


def _loopback(addresses: Collection[str]) -> bool:
    return all(_is_loopback(one) for one in addresses)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
