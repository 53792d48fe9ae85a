"""What every service of compose.yaml has, read as compose reads it but for variables."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import SERVICES
from services.kernel import Settings

_ROOT = Path(__file__).parents[3]
_READ_ONLY_CANNOT_BE = {"kafka", "rails", "sidekiq"}  # they write into their own programs' folders at start
_KNOWN_TO_NO_SETTING = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((_ROOT / name).read_text())["services"]
    return found


FILES = ("compose.yaml", "compose.chatwoot.yaml")
EVERY = [pytest.param(one, id=f"{file}:{name}") for file in FILES for name, one in services(file).items()]
OURS = {name: one for name, one in services("compose.yaml").items() if one["image"].startswith("wootstream:")}


@pytest.mark.parametrize("service", EVERY)
def test_service_is_bounded_and_bare(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() >= {"cpus", "memory", "pids"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() >= {"max-size", "max-file"}
    assert service["restart"] in ("unless-stopped", "no")


@pytest.mark.parametrize("file", FILES)
def test_root_is_read_only(file: str) -> None:
    assert {name for name, one in services(file).items() if not one.get("read_only")} <= _READ_ONLY_CANNOT_BE


@pytest.mark.parametrize("service", EVERY)
def test_image_is_pinned(service: dict[str, Any]) -> None:
    tag = service["image"].partition(":")[2]
    assert any(char.isdigit() for char in tag)
    assert "latest" not in tag


def test_only_nginx_has_ports() -> None:
    assert [name for file in FILES for name, one in services(file).items() if "ports" in one] == ["nginx"]


def test_every_service_runs_somewhere() -> None:
    run = {argument for one in OURS.values() if one["command"][0] == "run" for argument in one["command"][1:]}
    assert run == SERVICES.keys()


def test_every_service_of_ours_waits_for_migrations_and_topics() -> None:
    waiting = {name for name, one in OURS.items() if one["command"][0] == "run"}
    done = {"condition": "service_completed_successfully"}
    assert {name for name in waiting if OURS[name]["depends_on"] == {"migrate": done, "topics": done}} == waiting


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {Settings.variable(name) for name in Settings.model_fields}
    given = {name for one in OURS.values() for name in one.get("environment", {})}
    assert {name for name in given if name.removesuffix("_FILE") not in known | _KNOWN_TO_NO_SETTING} == set()


@pytest.mark.parametrize("file", FILES)
def test_no_secret_stands_in_an_environment(file: str) -> None:
    named = [
        name
        for service in services(file).values()
        for name in service.get("environment", {})
        if any(word in name for word in ("PASS", "SECRET", "TOKEN", "_KEY")) and "_FILE" not in name
    ]
    assert named == []


def test_ingresses_share_no_spool() -> None:
    spools = [one["volumes"] for name, one in OURS.items() if name.startswith("ingress")]
    assert len(spools) == len({str(one) for one in spools}) > 1


def test_journal_takes_the_logs_of_every_service() -> None:
    assert services("compose.journald.yaml").keys() == services("compose.yaml").keys()


def test_kafka_may_load_the_library_of_zstd_from_its_temporary_folder() -> None:
    assert [one for one in services("compose.yaml")["kafka"]["tmpfs"] if one.startswith("/tmp:exec,")]  # noqa: S108
