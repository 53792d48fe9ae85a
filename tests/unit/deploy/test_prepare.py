"""`deploy/setup` makes what is not there and leaves the rest; `--check` finds each fault and names its cure."""

import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from deploy.host import checks, prepare
from deploy.host.backup import backups, prune
from deploy.host.compose import CannotDo, Compose, change_env, env

_ANSWERS = {"PUBLIC_NAME": "hooks.example.org", "ACME_EMAIL": "ops@example.org"}
_COMPOSE_FILE = Path(__file__).parents[3] / "compose.yaml"
_NOW = 2_100_000_000.25  # after 2036, when the 32 bits of NTP have begun anew


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's checkout."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "4.5.6"\n')
    return tmp_path


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in [folder / ".env", *(folder / "secrets").iterdir()]}


def test_second_setup_changes_nothing(folder: Path) -> None:
    assert prepare.make(_ANSWERS, ask=None)
    first = _content(folder)
    assert prepare.make({}, ask=None) == []
    assert _content(folder) == first


def test_setup_bids_to_build_each_image_that_no_registry_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """compose.yaml pulls none of them; those of a profile are built where it is chosen."""
    services = yaml.safe_load(_COMPOSE_FILE.read_text())["services"]
    built = {name for name, one in services.items() if "build" in one and "profiles" not in one}
    (folder / "answers").write_text("".join(f"{name}={value}\n" for name, value in _ANSWERS.items()))

    assert prepare.main(["--from", "answers"]) == 0

    said = capsys.readouterr().err.partition("docker compose build ")[2].partition(" && ")[0]
    assert {*said.split()} == built


def test_what_is_missing_is_added_and_agrees_with_what_was_there(folder: Path) -> None:
    prepare.make(_ANSWERS, ask=None)
    url = (folder / "secrets" / "database_url").read_text()
    (folder / "secrets" / "database_url").unlink()
    kept = [line for line in (folder / ".env").read_text().splitlines() if not line.startswith("SENTRY_DSN")]
    (folder / ".env").write_text("\n".join(kept) + "\n")

    assert prepare.make({}, ask=None) == [".env: SENTRY_DSN", "secrets/database_url"]
    assert (folder / "secrets" / "database_url").read_text() == url


def test_env_is_its_owners_alone_and_no_secret_stands_in_it(folder: Path) -> None:
    prepare.make(_ANSWERS, ask=None)
    secrets = [text for path in (folder / "secrets").iterdir() if (text := path.read_text().strip())]
    assert len(secrets) == 8
    assert (folder / ".env").stat().st_mode & 0o077 == (folder / "secrets").stat().st_mode & 0o077 == 0
    assert not any(secret in (folder / ".env").read_text() for secret in secrets)
    assert env()["WOOTSTREAM_VERSION"] == "4.5.6"


def test_answer_that_is_missing_is_named_and_nothing_is_made(folder: Path) -> None:
    with pytest.raises(CannotDo, match="ACME_EMAIL is missing"):
        prepare.make({"PUBLIC_NAME": "hooks.example.org"}, ask=None)
    assert not (folder / ".env").exists()


@pytest.mark.parametrize("bad", ["a$b", 'a"b', "a`b", "a\nb", "a#b"])
def test_answer_that_compose_would_read_is_refused(bad: str) -> None:
    with pytest.raises(CannotDo, match="PUBLIC_NAME"):
        prepare.make(_ANSWERS | {"PUBLIC_NAME": bad}, ask=None)


@pytest.mark.parametrize(
    ("variable", "bad"),
    [
        ("PUBLIC_NAME", "https://hooks.example.org"),
        ("PUBLIC_NAME", "hooks.example.org:443"),
        ("PUBLIC_NAME", "hooks example.org"),
        ("ACME_EMAIL", "ops"),
        ("CHATWOOT_PRIVATE_ADDRESSES", "maybe"),
        ("PROXY", "haproxy"),
        ("KAFKA_TOPIC_BYTES", "10 GB"),
    ],
)
def test_answer_that_only_a_container_would_stumble_over_is_refused_with_its_form(
    folder: Path, variable: str, bad: str
) -> None:
    with pytest.raises(CannotDo, match=f"{variable} is .*: say "):
        prepare.make(_ANSWERS | {variable: bad}, ask=None)
    assert not (folder / ".env").exists()


def test_answer_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(CannotDo, match="nobody asks for PUBLIC_NAMES"):
        prepare.make(_ANSWERS | {"PUBLIC_NAMES": "x"}, ask=None)


@pytest.mark.parametrize(("mail", "count"), [("x", 11), ("", 7)])
def test_questions_are_seven_and_four_about_mail_and_asked_once(mail: str, count: int) -> None:
    asked: list[str] = []
    said = {"ALERT_MAIL_TO": mail, "ACME_EMAIL": "x@x", "ALERT_MAIL_SERVER": "x:25"}

    def ask(question: prepare.SetupQuestion) -> str:
        asked.append(question.variable)
        return said.get(question.variable, question.otherwise or "x")

    prepare.make({}, ask=ask)
    prepare.make({}, ask=ask)
    assert len(asked) == len(set(asked)) == count


def test_secrets_of_the_ways_to_tell_lie_in_files_and_may_hold_any_sign(folder: Path) -> None:
    mail = {"ALERT_MAIL_TO": "a@x.example", "ALERT_MAIL_SERVER": "mail.x.example:587", "ALERT_MAIL_FROM": "w@x.example"}
    prepare.make(
        _ANSWERS | mail | {"ALERT_MAIL_PASSWORD": "a$b'c", "ALERT_WEBHOOK_URL": "https://x.example/s"}, ask=None
    )
    assert (folder / "secrets" / "alert_mail_password").read_text() == "a$b'c\n"
    assert (folder / "secrets" / "alert_slack_url").read_text() == ""
    assert "a$b" not in (folder / ".env").read_text()
    assert env()["ALERT_MAIL_SERVER"] == "mail.x.example:587"


def test_who_is_told_and_a_mail_server_that_does_not_answer_are_seen(folder: Path) -> None:
    prepare.make(_ANSWERS, ask=None)
    assert checks.alerts({}).seen.startswith("nobody is told")
    (folder / "secrets" / "alert_slack_url").unlink()
    (folder / "secrets" / "alert_slack_url").write_text("https://x.example")
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = {"ALERT_MAIL_TO": "a@x.example", "ALERT_MAIL_SERVER": f"127.0.0.1:{server.getsockname()[1]}"}
        assert checks.alerts(said).seen == "told by Slack, mail to a@x.example"
    assert not checks.alerts(said).well
    assert not checks.alerts(said | {"ALERT_MAIL_SERVER": "mail.x.example"}).well


def test_topics_get_half_of_the_free_disk_or_what_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 0, 60 * 1024**3))
    prepare.make(_ANSWERS, ask=None)
    assert int(env()["KAFKA_TOPIC_BYTES"]) == 10 * 1024**3
    (folder / ".env").unlink()
    prepare.make(_ANSWERS | {"KAFKA_TOPIC_BYTES": "7"}, ask=None)
    assert env()["KAFKA_TOPIC_BYTES"] == "7"


def test_chatwoots_secrets_are_made_once(folder: Path) -> None:
    assert "chatwoot.env" in prepare.make_chatwoot("chat.example.org")
    first = (folder / "chatwoot.env").read_text()
    assert prepare.make_chatwoot("chat.example.org") == []
    assert (folder / "chatwoot.env").read_text() == first
    assert (folder / "secrets" / "chatwoot_redis_password").read_text().strip() in first


def test_check_without_setup_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["--check"]) == 1
    assert "FAIL .env: is not there" in capsys.readouterr().out


def test_secrets_that_are_missing_open_or_do_not_agree_are_found(folder: Path) -> None:
    prepare.make(_ANSWERS, ask=None)
    names = [path.name for path in (folder / "secrets").iterdir() if path.stat().st_size]
    assert checks.keys(names, mounted=["alert_slack_url"]).well
    assert "absent missing" in checks.keys(names, mounted=["absent"]).seen
    assert "absent missing" in checks.keys([*names, "absent"]).seen
    (folder / "secrets" / "service_password").unlink()
    (folder / "secrets" / "service_password").write_text("another")
    assert "another password" in checks.keys(names).seen
    (folder / "secrets").chmod(0o755)
    assert "other accounts" in checks.keys(names).seen


def test_env_that_others_may_open_or_that_lacks_a_line_is_found(folder: Path) -> None:
    prepare.make(_ANSWERS, ask=None)
    assert checks.settings(env()).well
    assert "lacks PUBLIC_NAME" in checks.settings(env() | {"PUBLIC_NAME": ""}).seen
    (folder / ".env").chmod(0o644)
    assert "others may open it" in checks.settings(env()).seen


@pytest.mark.parametrize(
    ("variable", "bad"),
    [
        ("KAFKA_TOPIC_BYTES", "10 GB"), ("KAFKA_TOPIC_BYTES", "9" * 5_000), ("PUBLIC_NAME", "hooks..example.org"),
        ("PUBLIC_NAME", f"{'a' * 64}.example.org"), ("TIME_SERVER", ".org"), ("PROXY", "haproxy"),
        ("ACME_EMAIL", "ops"), ("ALERT_MAIL_SERVER", "mail.example.org:smtp"),
    ],
)  # fmt: skip
def test_a_line_of_env_that_a_hand_changed_is_found_with_its_form(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, bad: str
) -> None:
    prepare.make(_ANSWERS, ask=None)
    change_env(variable, bad)
    monkeypatch.setattr(checks, "_ahead_of", lambda server, *_: len(server.encode("idna")))  # nobody is asked
    assert prepare.main(["--check"]) == 1
    assert f"FAIL .env: {variable} is {bad!r}: say " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("variable", "good"),
    [("CHATWOOT_PRIVATE_ADDRESSES", "1"), ("CHATWOOT_PRIVATE_ADDRESSES", "True"), ("TIME_SERVER", "10.0.0.1"),
     ("TIME_SERVER", "pool.ntp.org."), ("KAFKA_TOPIC_BYTES", ""), ("OF_NOBODYS", "any thing")],
)  # fmt: skip
def test_what_containers_read_holds_up_no_upgrade(folder: Path, variable: str, good: str) -> None:
    prepare.make(_ANSWERS, ask=None)
    change_env(variable, good)
    assert [one.seen for one in prepare.prepared() if not one.well] == []


@pytest.mark.parametrize("kind", ["a folder", "no text"])
def test_env_that_cannot_be_read_is_one_sentence(folder: Path, kind: str) -> None:
    (folder / ".env").mkdir() if kind == "a folder" else (folder / ".env").write_bytes(b"PUBLIC_NAME=\xff")
    with pytest.raises(CannotDo, match=r"\.env cannot be read"):
        env()


@pytest.mark.parametrize("ours", [True, False])
def test_port_is_free_or_ours_or_somebody_elses(ours: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert checks.port(taken, ours=ours, host="127.0.0.1").well is ours
    assert checks.port(taken, ours=False, host="127.0.0.1").seen == "free"


def test_disk_and_memory_need_room() -> None:
    assert not checks.disk(Path(), free=checks.LEAST_DISK_BYTES - 1).well
    assert checks.disk(Path(), free=checks.LEAST_DISK_BYTES).well
    assert not checks.disk(Path(), free=checks.LEAST_DISK_BYTES, topics=checks.LEAST_DISK_BYTES).well
    assert not checks.memory(checks.LEAST_MEMORY_BYTES - 1).well


def test_name_that_leads_nowhere_or_to_whoever_asks_is_found() -> None:
    for nobody in ("nobody.invalid", "a..example", f"{'a' * 64}.example"):
        assert checks.name(nobody).seen == "nobody knows it"
    assert "whoever asks" in checks.name("localhost").seen


@contextmanager
def _time_server(moment: float) -> Iterator[int]:
    """Tells this moment to the first who asks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer() -> None:
            _, asker = sock.recvfrom(48)
            seconds, fraction = int(moment), int(moment % 1 * 2**32)
            sock.sendto(bytes(40) + struct.pack("!II", (seconds + 2_208_988_800) % 2**32, fraction), asker)

        thread = threading.Thread(target=answer)
        thread.start()
        yield sock.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(("ahead", "well"), [(0.0, True), (60.0, False), (-60.0, False)])
def test_clock_is_held_against_a_time_server(ahead: float, well: bool) -> None:
    with _time_server(_NOW) as number:
        found = checks.clock("127.0.0.1", number=number, now=lambda: _NOW + ahead)
    assert (found.well, found.seen.startswith(f"{abs(ahead):.1f} s")) == (well, True)


def test_engine_that_is_absent_or_old_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOOTSTREAM_COMPOSE", str(folder / "absent"))
    assert "cannot be run" in checks.engine(Compose()).seen
    compose = folder / "compose"
    compose.write_text("#!/bin/sh\necho 1.29.2\n")
    compose.chmod(0o755)
    monkeypatch.setenv("WOOTSTREAM_COMPOSE", str(compose))
    assert (checks.engine(Compose()).well, checks.engine(Compose()).seen) == (False, "no Compose: 1.29.2")
    compose.write_text("#!/bin/sh\necho 2.40.3\n")
    assert checks.engine(Compose()).well


def test_old_backups_go_and_the_last_ones_never(folder: Path) -> None:
    place = folder / "backups"
    for day in range(1, 7):
        (place / f"2020-01-0{day}T000000Z").mkdir(parents=True)
    (place / "notes").mkdir()

    assert [path.name[:10] for path in prune(place, days=14)] == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert len(backups(place)) == 3
    assert (place / "notes").exists()


def test_answers_that_cannot_be_read_are_one_sentence(folder: Path) -> None:
    with pytest.raises(CannotDo, match="cannot be read"):
        prepare.main(["--from", str(folder / "absent")])
