"""What must be so before anything starts; each check looks for itself and names its cure."""

from __future__ import annotations  # Python 3.9, as older distributions have it

import os
import re
import shutil
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.host import forms
from deploy.host.compose import DOORS, CannotDo, Compose, env

LEAST_DISK_BYTES = 60 * 1024**3
LEAST_MEMORY_BYTES = 7 * 1024**3
MOST_SKEW_SECONDS = 5.0
_TIME_SERVER = "pool.ntp.org"
_NTP_EPOCH_SECONDS = 2_208_988_800  # between 1900 and 1970
_WAIT_SECONDS = 5.0
_OLDEST_COMPOSE = (2, 24)


@dataclass(frozen=True)
class HostCheck:
    """One finding; `cure` is what to do where it is not well."""

    about: str
    well: bool
    seen: str
    cure: str = ""


def every(compose: Compose, *, needed_secrets: Sequence[str], mounted: Sequence[str]) -> list[HostCheck]:
    """All of them, in the order in which they are mended."""
    try:
        said = env()
    except CannotDo as reason:
        return [HostCheck(".env", False, "is not there", str(reason)), disk(Path()), memory()]
    running = _runs(compose)
    return [
        settings(said),
        keys(needed_secrets, mounted=mounted),
        engine(compose),
        name(said.get("PUBLIC_NAME", "")),
        *(port(number, ours=running) for number in (80, 443)),
        disk(Path(), topics=_topic_bytes(said)),
        memory(),
        clock(said.get("TIME_SERVER", _TIME_SERVER)),
        alerts(said),
    ]


def settings(said: dict[str, str]) -> HostCheck:
    """What compose cannot start without, and who may read it."""
    absent = [
        one for one in ("PUBLIC_NAME", "ACME_EMAIL", "WOOTSTREAM_VERSION", "KAFKA_CLUSTER_ID") if not said.get(one)
    ]
    if absent:
        return HostCheck(".env", False, f"lacks {', '.join(absent)}", "run deploy/setup again, it adds what is missing")
    if odd := forms.faults(said):
        return HostCheck(".env", False, "; ".join(odd), "change the line in .env")
    if mode := Path(".env").stat().st_mode & 0o077:
        return HostCheck(".env", False, f"others may open it (0{mode:o})", "chmod 0600 .env")
    return HostCheck(".env", True, f"{len(said)} lines, for its owner alone")


def _topic_bytes(said: dict[str, str]) -> int:
    """0 where it is not said, or `settings` names what is wrong with it."""
    text = said.get("KAFKA_TOPIC_BYTES", "")
    return 0 if forms.fault("KAFKA_TOPIC_BYTES", text) else int(text or 0)


def keys(needed: Sequence[str], *, mounted: Sequence[str] = ()) -> HostCheck:
    """Every secret is there, holds something, and lies in a folder that no other account of the host may enter.

    Those that are only `mounted` may be empty."""
    folder = Path("secrets")
    absent = [one for one in needed if not (folder / one).is_file() or not (folder / one).read_text().strip()]
    absent += [one for one in mounted if not (folder / one).is_file()]
    if absent:
        return HostCheck(
            "secrets",
            False,
            f"{', '.join(absent)} missing or empty",
            "run deploy/setup again, it makes what is missing",
        )
    if folder.stat().st_mode & 0o077:
        return HostCheck("secrets", False, "other accounts may enter secrets/", "chmod 0700 secrets")
    for password, url in (("postgres_password", "administrator_url"), ("service_password", "database_url")):
        if f":{(folder / password).read_text().strip()}@" not in (folder / url).read_text():
            cure = f"delete secrets/{url} and run deploy/setup, which makes it of the password"
            return HostCheck("secrets", False, f"{url} has another password than {password}", cure)
    return HostCheck("secrets", True, f"{len(needed)} files in a closed folder")


def engine(compose: Compose) -> HostCheck:
    """Docker answers, and both are new enough for what compose.yaml says."""
    about = "Docker"
    try:
        code, out, said = compose.attempt("version", "--short")
    except CannotDo as reason:
        return HostCheck(about, False, str(reason), "install Docker Engine and its Compose plugin")
    release = _release(out)
    if code or release < _OLDEST_COMPOSE:
        answer = (out or said).strip().partition("\n")[0]
        return HostCheck(about, False, f"no Compose: {answer}", "install Compose 2.24 or later")
    code, out, said = compose.attempt("ps", "--quiet")
    if code:
        return HostCheck(
            about, False, (said.strip().splitlines() or ["no answer"])[-1], "start the engine, or join the group docker"
        )
    return HostCheck(about, True, f"Compose {'.'.join(map(str, release))}, and the engine answers")


def _release(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0)


def name(host: str) -> HostCheck:
    """The name leads somewhere; whether here is only known where no proxy and no address translation stands between."""
    about = f"name {host}"
    try:
        found = sorted({str(one[4][0]) for one in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):  # the latter where a part of it is empty or too long
        return HostCheck(
            about, False, "nobody knows it", "add an A (and AAAA) record that leads to this host, and wait for it"
        )
    here = own_addresses()
    if all(one.startswith("127.") or one == "::1" for one in found):
        return HostCheck(about, False, f"leads to {', '.join(found)}, to whoever asks", "mend /etc/hosts and the DNS")
    where = (
        "this host" if here & set(found) else "not an address of this host itself: right behind Cloudflare or a router"
    )
    return HostCheck(about, True, f"{', '.join(found)}, {where}")


def alerts(said: dict[str, str]) -> HostCheck:
    """Somebody is told when a promise is in danger, and the mail server can be reached."""
    files = {"Slack": "alert_slack_url", "a webhook": "alert_webhook_url"}
    ways = [way for way, file in files.items() if (path := Path("secrets") / file).exists() and path.stat().st_size]
    if whom := said.get("ALERT_MAIL_TO"):
        server = said.get("ALERT_MAIL_SERVER", "")
        host, _, number = server.rpartition(":")
        try:
            socket.create_connection((host, int(number)), timeout=_WAIT_SECONDS).close()
        except (OSError, ValueError) as error:
            cure = "name another in ALERT_MAIL_SERVER of .env, host:port, or let this host reach it"
            return HostCheck("alerts", False, f"the mail server {server} does not answer ({error})", cure)
        ways.append(f"mail to {whom}")
    return HostCheck("alerts", True, f"told by {', '.join(ways)}" if ways else "nobody is told: they stand in Grafana")


def own_addresses() -> set[str]:
    """The addresses from which this host speaks to others; nothing is sent for it."""
    found = set()
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((far, 9))
                found.add(sock.getsockname()[0])
        except OSError:
            continue
    return found


def port(number: int, *, ours: bool, host: str = "") -> HostCheck:
    """Free, or held by our own nginx."""
    about = f"port {number}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, number))
        except PermissionError:
            return HostCheck(about, True, "only root can try it")
        except OSError:
            if ours:
                return HostCheck(about, True, "our own nginx has it")
            return HostCheck(
                about, False, "somebody else has it", f"see who (ss -ltnp 'sport = :{number}') and stop it"
            )
    return HostCheck(about, True, "free")


def disk(place: Path, *, topics: int = 0, free: int | None = None) -> HostCheck:
    """Room for three topics, two spools, the database, metrics and two weeks of backups."""
    free = shutil.disk_usage(place).free if free is None else free
    least = max(LEAST_DISK_BYTES, 3 * topics + LEAST_DISK_BYTES // 2)
    seen = f"{free / 1024**3:.0f} GiB free"
    if free < least:
        return HostCheck("disk", False, seen, f"free {least / 1024**3:.0f} GiB, or lower KAFKA_TOPIC_BYTES")
    return HostCheck("disk", True, seen)


def memory(total: int | None = None) -> HostCheck:
    """What the limits of compose.yaml add up to when all are busy is more; this is what they need together."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if total is None else total
    seen = f"{total / 1024**3:.1f} GiB"
    if total < LEAST_MEMORY_BYTES:
        return HostCheck("memory", False, seen, "take a host with 8 GiB")
    return HostCheck("memory", True, seen)


def clock(server: str, *, number: int = 123, now: Callable[[], float] = time.time) -> HostCheck:
    """Our clock against a time server's: a signature is taken within 300 s, and facts are ordered by time."""
    cure = (
        "let the host follow time servers (timedatectl set-ntp true), or name one that it reaches: TIME_SERVER in .env"
    )
    try:
        ahead = _ahead_of(server, number, now)
    except (OSError, UnicodeError) as error:
        return HostCheck("time", False, f"{server} does not answer ({error})", cure)
    seen = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} {server}"
    return HostCheck("time", abs(ahead) <= MOST_SKEW_SECONDS, seen, cure)


def _ahead_of(server: str, number: int, now: Callable[[], float]) -> float:
    """By SNTP (RFC 4330): seconds that we are ahead. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_WAIT_SECONDS)
        asked = now()
        sock.sendto(b"\x23" + bytes(47), (server, number))  # version 4, a client's
        answer = sock.recv(48)
    if len(answer) < 48:
        raise OSError("it says something else than the time")
    seconds, fraction = struct.unpack("!II", answer[40:48])
    there: float = (seconds - _NTP_EPOCH_SECONDS) % 2**32 + fraction / 2**32  # its 32 bits begin anew in 2036
    return (asked + now()) / 2 - there


def _runs(compose: Compose) -> bool:
    try:
        code, out, _ = compose.attempt("ps", "--services", "--status=running")
    except CannotDo:
        return False
    return code == 0 and bool({"nginx", *DOORS} & set(out.split()))
