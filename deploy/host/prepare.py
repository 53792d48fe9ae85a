"""`deploy/setup`: asks seven questions, or takes them from a file, and makes .env and secrets/; what is there stays.

`--check` changes nothing: it says what is missing, and proves names, ports, disk, memory, time and secrets.
"""

from __future__ import annotations  # Python 3.9, as older distributions have it

import argparse
import base64
import os
import re
import secrets
import shutil
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from deploy.host import checks, forms
from deploy.host.compose import CannotDo, Compose, env, say

_SECRETS = Path("secrets")


@dataclass(frozen=True)
class SetupQuestion:
    """One line of .env, or a secret's file: what is asked, and what is taken where nothing is answered; None: an answer
    is needed."""

    variable: str
    text: str
    otherwise: str | None
    secret: bool = False

    def is_answered(self, there: Mapping[str, str]) -> bool:
        """By `there`, which is .env, or by an earlier run."""
        return (_SECRETS / self.variable.lower()).exists() if self.secret else self.variable in there


QUESTIONS = (
    SetupQuestion("PUBLIC_NAME", "Name under which Chatwoot and the shops reach the doors (hooks.example.org)", None),
    SetupQuestion("ACME_EMAIL", "E-mail address that Let's Encrypt writes to before a certificate ends", None),
    SetupQuestion(
        "CHATWOOT_PRIVATE_ADDRESSES", "Is a Chatwoot in a private network or on this host? (true, false)", "false"
    ),
    SetupQuestion("PROXY", "What stands before nginx? (none, cloudflare, forwarded: deploy/nginx/README.md)", "none"),
    SetupQuestion("SENTRY_DSN", "Sentry's DSN, for errors (nothing: none)", ""),
    SetupQuestion("ALERT_MAIL_TO", "Whom to mail when a promise is in danger, by commas (nothing: nobody)", ""),
    SetupQuestion("ALERT_SLACK_URL", "Webhook of Slack or its like, for the same (nothing: none)", "", secret=True),
)
# Asked where mail is to be sent.
MAIL_QUESTIONS = (
    SetupQuestion("ALERT_MAIL_SERVER", "Its mail server, host:port", None),
    SetupQuestion("ALERT_MAIL_FROM", "The sender's address", None),
    SetupQuestion("ALERT_MAIL_USER", "The login there (nothing: none)", ""),
    SetupQuestion("ALERT_MAIL_PASSWORD", "Its password", "", secret=True),
)
# Taken from a file, or as it is otherwise: nobody is asked.
_UNASKED = (
    SetupQuestion("KAFKA_TOPIC_BYTES", "Bytes of each large topic", ""),
    SetupQuestion("ALERT_MAIL_PLAIN", "1: a mail server without TLS", ""),
    SetupQuestion("ALERT_WEBHOOK_URL", "Where another program is told, in Alertmanager's JSON", "", secret=True),
)
# Containers mount them; an empty file says that there is none.
_MAY_BE_EMPTY = ("alert_mail_password", "alert_slack_url", "alert_webhook_url")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="deploy/setup", description=__doc__)
    parser.add_argument("--from", dest="file", type=Path, help="a file of VARIABLE=value, instead of questions")
    parser.add_argument(
        "--chatwoot", metavar="NAME", help="also chatwoot.env, for a Chatwoot of that public name beside us"
    )
    parser.add_argument("--check", action="store_true", help="change nothing, say what is missing")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        return report(checks.every(Compose(), needed_secrets=[*_secrets({})], mounted=_MAY_BE_EMPTY))
    given = _answers(chosen.file) if chosen.file else {}
    for made in [
        *make(given, ask=None if chosen.file else _ask),
        *(make_chatwoot(chosen.chatwoot) if chosen.chatwoot else ()),
    ]:
        say(f"made {made}")
    say("now: deploy/setup --check, then docker compose build migrate kafka && docker compose up --detach --wait")
    return 0


def prepared() -> list[checks.HostCheck]:
    """Of .env and secrets/, what compose.yaml of this checkout needs. Raises CannotDo where there is no .env."""
    return [checks.settings(env()), checks.keys([*_secrets({})], mounted=_MAY_BE_EMPTY)]


def report(findings: Sequence[checks.HostCheck]) -> int:
    """A line each; 0 where all is well, else 1."""
    for one in findings:
        print(f"{'ok  ' if one.well else 'FAIL'} {one.about}: {one.seen}" + ("" if one.well else f". {one.cure}"))
    return 0 if all(one.well for one in findings) else 1


def make(given: Mapping[str, str], *, ask: Callable[[SetupQuestion], str] | None) -> list[str]:
    """Add to .env and secrets/ what is not there yet; what was made. Raises CannotDo where an answer is missing."""
    known = {one.variable for one in (*QUESTIONS, *MAIL_QUESTIONS, *_UNASKED)}
    if unknown := given.keys() - known:
        raise CannotDo(f"nobody asks for {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}")
    there = env() if Path(".env").exists() else {}
    said = _answered(QUESTIONS, there, given, ask)
    mails = said.get("ALERT_MAIL_TO") or there.get("ALERT_MAIL_TO")
    said |= _answered(MAIL_QUESTIONS, there, given, ask) if mails else {}
    said |= {one.variable: _answer(one, given, None) for one in _UNASKED if one.variable in given}
    told = {name.lower(): said.pop(name, "") for name in map(str.upper, _MAY_BE_EMPTY)}
    fixed = {
        "COMPOSE_FILE": "compose.yaml:compose.journald.yaml"
        if Path("/run/systemd/journal").exists()
        else "compose.yaml",
        "WOOTSTREAM_VERSION": _release(),
        "KAFKA_CLUSTER_ID": _cluster_id(),
        "KAFKA_TOPIC_BYTES": str(_topic_bytes(shutil.disk_usage(".").free)),
    }
    lines = {name: value for name, value in (fixed | said).items() if name not in there}
    secret = _secrets(there) | told
    made = [_secret(name, value) for name, value in secret.items() if not (_SECRETS / name).exists()]
    if lines:
        with os.fdopen(os.open(".env", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.writelines(f"{name}={value}\n" for name, value in lines.items())
    for folder in ("backups", "metrics"):
        # node_exporter, which is nobody of this host, reads what lies in metrics.
        Path(folder).mkdir(mode=0o755 if folder == "metrics" else 0o700, exist_ok=True)
    return [*(f".env: {name}" for name in lines), *made]


def _answered(
    questions: Sequence[SetupQuestion],
    there: Mapping[str, str],
    given: Mapping[str, str],
    ask: Callable[[SetupQuestion], str] | None,
) -> dict[str, str]:
    return {one.variable: _answer(one, given, ask) for one in questions if not one.is_answered(there)}


def _answer(question: SetupQuestion, given: Mapping[str, str], ask: Callable[[SetupQuestion], str] | None) -> str:
    answer = given.get(question.variable) or (ask(question) if ask else "") or question.otherwise
    if answer is None:
        raise CannotDo(f"{question.variable} is missing: {question.text}")
    if not question.secret and any(char in answer for char in "\n'\"$`\\#"):
        raise CannotDo(
            f"{question.variable} holds a sign that a shell or compose would read: leave quotes, $ and # out"
        )
    if found := forms.fault(question.variable, answer.strip()):
        raise CannotDo(found)
    return answer.strip()


def _ask(question: SetupQuestion) -> str:
    if not sys.stdin.isatty():
        raise CannotDo("there is nobody to ask: give the answers in a file, with --from")
    otherwise = f" [{question.otherwise}]" if question.otherwise else ""
    return (getpass if question.secret else input)(f"{question.text}{otherwise}: ")


def _answers(path: Path) -> dict[str, str]:
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise CannotDo(f"{path} cannot be read ({error.strerror})") from error
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def _release() -> str:
    """Of this checkout, from which the image is built."""
    found = re.search(r'^version = "(.+)"$', Path("pyproject.toml").read_text(), re.MULTILINE)
    if not found:
        raise CannotDo("pyproject.toml names no version: run this in a checkout of ours")
    return found[1]


def _topic_bytes(free: int) -> int:
    """Half of the free disk for the three large topics; the rest is for database, spools and backups.."""
    return max(free // 6 // 1024**3, 1) * 1024**3


def _cluster_id() -> str:
    """As Kafka's own tool makes it: a UUID in 22 signs."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _secrets(there: Mapping[str, str]) -> dict[str, str]:
    """File → what it shall hold. A URL is made of the password's file: both agree after an interruption, too."""
    name = there.get("DATABASE_NAME", "wootstream")
    administrator, service = (_password(one) for one in ("postgres_password", "service_password"))
    return {
        "postgres_password": administrator,
        "service_password": service,
        "administrator_url": f"postgresql://postgres:{administrator}@postgres:5432/{name}",
        "database_url": f"postgresql://wootstream:{service}@postgres:5432/{name}",
        "installation_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "api_token": secrets.token_urlsafe(32),
        "grafana_password": secrets.token_urlsafe(18),
        "dashboards_password": secrets.token_urlsafe(24),
    }


def _password(name: str) -> str:
    path = _SECRETS / name
    return path.read_text().strip() if path.exists() else secrets.token_urlsafe(24)


def _secret(name: str, value: str) -> str:
    """The folder keeps every other account of the host out; a container sees the one file, as whoever it runs as."""
    _SECRETS.mkdir(mode=0o700, exist_ok=True)
    path = _SECRETS / name
    new = path.with_suffix(".new")
    new.write_text(f"{value}\n" if value else "")
    new.chmod(0o444)
    new.replace(path)
    return str(path)


def make_chatwoot(name: str) -> list[str]:
    """chatwoot.env and its secrets, once."""
    path = Path("chatwoot.env")
    if path.exists():
        return []
    postgres, redis = secrets.token_hex(24), secrets.token_hex(24)
    lines = {
        "FRONTEND_URL": f"https://{name}",
        "SECRET_KEY_BASE": secrets.token_hex(64),
        "POSTGRES_PASSWORD": postgres,
        "REDIS_PASSWORD": redis,
        **{
            f"ACTIVE_RECORD_ENCRYPTION_{part}": secrets.token_hex(16)
            for part in ("PRIMARY_KEY", "DETERMINISTIC_KEY", "KEY_DERIVATION_SALT")
        },
    }
    made = [_secret(f"chatwoot_{one}_password", value) for one, value in (("postgres", postgres), ("redis", redis))]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in lines.items())
    return [str(path), *made]
