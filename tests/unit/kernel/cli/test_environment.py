"""What the environment says, and the files that it names."""

from pathlib import Path

import pytest

from services.kernel import Stop
from services.kernel.cli.environment import environment

_URL = "postgresql://user:correct-horse@127.0.0.1/wootstream"


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that DATABASE_URL_FILE names, where nothing else names a database."""
    path = tmp_path / "database-url"
    path.write_text(f"{_URL}\n")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", str(path))
    return path


def test_secret_is_read_from_the_file_that_its_variable_names(secret: Path) -> None:
    url = environment().database_url
    assert url is not None
    assert url.get_secret_value() == _URL


@pytest.mark.usefixtures("secret")
def test_variable_itself_comes_before_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://other@127.0.0.1/other")
    url = environment().database_url
    assert url is not None
    assert url.get_secret_value().endswith("/other")


@pytest.mark.parametrize("servers", ["a:99999999", "a:x", "a:9092,b:", "[::1]:65536", "a:9092, b:-1"])
def test_a_port_that_is_none_is_told_before_anybody_knocks(servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)
    with pytest.raises(Stop, match=r"KAFKA_BOOTSTRAP_SERVERS: .*a port that is none"):
        environment()


@pytest.mark.parametrize("servers", ["a:9092", "a", "a:9092, b:9093", "::1", "[::1]:9092", "[::1]", "a:9092,"])
def test_servers_are_taken_with_their_ports_and_without(servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)
    assert environment().kafka_bootstrap_servers == servers


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e400"])
def test_a_number_without_an_end_is_told_by_its_variable(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESSION_TIMEOUT_SECONDS", "METADATA_MAX_AGE_SECONDS", "CHATWOOT_CALLS_PER_SECOND"):
        monkeypatch.setenv(f"WOOTSTREAM_{name}", number)
    with pytest.raises(Stop, match=r"WOOTSTREAM_SESSION_TIMEOUT_SECONDS.*METADATA_MAX_AGE.*CALLS_PER_SECOND"):
        environment()


def test_setting_that_is_no_secret_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "port").write_text("9")
    monkeypatch.setenv("WOOTSTREAM_HTTP_PORT_FILE", str(tmp_path / "port"))
    assert environment().http_port != 9


def test_file_that_cannot_be_read_is_one_sentence_with_its_variable(secret: Path) -> None:
    secret.unlink()
    with pytest.raises(Stop, match=r"^a setting cannot be read: DATABASE_URL_FILE: .*FileNotFoundError"):
        environment()


def test_file_with_a_bad_value_is_named_and_not_quoted(secret: Path) -> None:
    secret.write_text("correct horse")
    with pytest.raises(Stop, match="DATABASE_URL") as stop:
        environment()
    assert "horse" not in str(stop.value)
