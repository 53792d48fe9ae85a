"""The services find a running local stack by the file that it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.kernel import Settings
from services.kernel.cli.environment import local_stack


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "STACK", "STACK_TLS"):
        monkeypatch.delenv(name, raising=False)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kafka = {"kafka_bootstrap_servers": "k:1", "kafka_security": "sasl_tls", "kafka_username": "u"}
    servers = [
        {"pid": os.getpid(), "settings": kafka},
        {"pid": ended.pid, "settings": {"database_url": "postgresql://u@h/d"}},
    ]
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "addresses.json").write_text(json.dumps(servers))
    return Settings(data_directory=tmp_path)


def test_of_a_running_server_all_its_settings_are_taken_and_of_a_dead_one_none(settings: Settings) -> None:
    taken = {"kafka_bootstrap_servers": "k:1", "kafka_security": "sasl_tls", "kafka_username": "u"}
    assert local_stack(settings) == taken


def test_of_a_server_that_the_environment_names_nothing_is_taken(settings: Settings) -> None:
    assert local_stack(settings.model_copy(update={"kafka_bootstrap_servers": "mine:9092"})) == {}


def test_stack_in_docker_or_over_tls_is_another_one(settings: Settings) -> None:
    assert local_stack(settings.model_copy(update={"stack": "docker"})) == {}
    assert local_stack(settings.model_copy(update={"stack_tls": True})) == {}
