"""`deploy/upgrade VERSION`: checks, a verified backup, the image, migrations, one service after the other, the audit.

Migrations work beside the release that runs, so going back needs no restore: where anything fails, the version in .env
and the containers are those of before.
"""

from __future__ import annotations  # Python 3.9, as older distributions have it

import argparse
import json
import re
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from deploy.host.backup import UTC, backup
from deploy.host.compose import DOORS, WORKERS, CannotDo, Compose, change_env, env, say
from deploy.host.prepare import prepared

_LATELY = timedelta(hours=1)  # a loss before that has had its alert
_LEAST_FREE_BYTES = 5 * 1024**3
_NAME = re.compile(r"\w[\w.-]{0,127}", re.ASCII)  # what Docker takes for an image's tag


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy/upgrade", description=__doc__)
    parser.add_argument("version", help="the release to run from now on: its checkout is this one")
    parser.add_argument("--backups", type=Path, default=Path("backups"), help="folder of the backups (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=900, help="how long the audit may take to be clean (%(default)g)"
    )
    chosen = parser.parse_args(arguments)
    upgrade(Compose(), chosen.version, backups=chosen.backups, seconds=chosen.seconds)
    return 0


def upgrade(compose: Compose, version: str, *, backups: Path, seconds: float) -> None:
    """Raises CannotDo; the release of before then runs."""
    before = env().get("WOOTSTREAM_VERSION")
    if not before:
        raise CannotDo("WOOTSTREAM_VERSION is not in .env: run deploy/setup")
    if not _NAME.fullmatch(version):
        raise CannotDo(f"{version!r} is no name of a release: say one like {before}")
    if version == before:
        raise CannotDo(f"{version} is what runs: its image would be made anew, and there would be no way back")
    since = datetime.now(UTC) - _LATELY
    check(compose, since=since)
    backup(compose, backups)
    change_env("WOOTSTREAM_VERSION", version)
    try:
        compose.do("build", "migrate", "kafka")
        compose.do("run", "--rm", "--no-deps", "-T", "migrate")
        compose.do("run", "--rm", "--no-deps", "-T", "topics")
        roll(compose)
        compose.audited(since=since, seconds=seconds)
    except (CannotDo, KeyboardInterrupt) as reason:
        why = str(reason) or "interrupted"
        say(f"{why}; back to {before}")
        change_env("WOOTSTREAM_VERSION", before)
        _go_back(compose, before, why)
        raise CannotDo(f"{version} does not run here, and {before} runs again: {why}") from reason
    say(f"{version} runs, the audit is clean")


def _go_back(compose: Compose, before: str, why: str) -> None:
    """Raises CannotDo, with both reasons."""
    try:
        roll(compose)
    except CannotDo as again:
        raise CannotDo(
            f"{why}; nor is {before} back ({again}): see `docker compose ps` and the logs, then `docker compose up"
            " --detach --wait`"
        ) from again


def check(compose: Compose, *, since: datetime) -> None:
    """Everything that can be known before the first change. Raises CannotDo."""
    if (free := shutil.disk_usage(".").free) < _LEAST_FREE_BYTES:
        raise CannotDo(f"only {free / 1024**3:.1f} GiB are free: an upgrade needs 5, for the backup and the image")
    # A release may need what the one before did not.
    if unwell := [one for one in prepared() if not one.well]:
        raise CannotDo("; ".join(f"{one.about}: {one.seen}: {one.cure}" for one in unwell))
    running = compose.do("ps", "--services", "--status=running").split()
    if absent := [name for name in (*DOORS, *WORKERS, "postgres", "kafka", "nginx") if name not in running]:
        raise CannotDo(f"{', '.join(absent)} do not run: mend that first, so that a failure has one cause")
    answer, said = compose.audit(since)
    if not answer.get("clean"):
        why = f"{answer['missing']} missing" if answer else said.strip()[-200:]
        raise CannotDo(
            f"the audit is not clean before the upgrade ({why}): `wootstream audit --since 1h` says what to mend"
        )
    if faults := _faults(compose):
        raise CannotDo(f"`wootstream doctor` names what to mend first: {'; '.join(faults)}")


def _faults(compose: Compose) -> list[str]:
    """Of the installation, as a door sees it: a Chatwoot that is away and one store's trouble keep nobody back."""
    _, out, said = compose.attempt("exec", "-T", DOORS[0], "wootstream", "doctor", "--json")
    try:
        findings = json.loads(out)["findings"]
    except (ValueError, LookupError):
        return [f"nothing that can be read ({said.strip()[-200:]})"]
    return [
        f"{one['about']} {one['seen']}: {one['cure']}"
        for one in findings
        if one["severity"] == "fault" and not one["store"] and not one["about"].startswith("Chatwoot")
    ]


def roll(compose: Compose) -> None:
    """One door after the other, so that one always answers; then the rest. Raises CannotDo."""
    for door in DOORS:
        compose.start([door])
        # The container of a new image has a new address, and nginx knows the old one.
        compose.do("exec", "-T", "nginx", "nginx", "-s", "reload", "-c", "/etc/nginx/wootstream/nginx.conf")
        say(f"{door} is up")
    compose.start(WORKERS)
    say(f"{', '.join(WORKERS)} are up")
