"""The pages of Grafana: as the builder writes them, asking only for what somebody exports."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard

from local.dashboards.__main__ import FOLDER, files
from tests.edge.monitoring.test_alerts import KNOWN, metrics_of
from tests.edge.monitoring.watching import panels

_ALERTS = {"ALERTS"}  # Prometheus' own
# Of the source that is asked, not of the page: Grafana's source of Prometheus reads it.
_OF_THE_SOURCE = {"annotations.list.0.titleFormat"}


def test_files_are_what_the_builder_writes() -> None:
    """Else: python -m local.dashboards."""
    assert {path.name: path.read_text() for path in Path(FOLDER).glob("*.json")} == dict(files())


def test_every_panel_asks_for_metrics_that_exist_and_every_promise_has_one() -> None:
    unknown = {name: metrics_of(expression) - KNOWN - _ALERTS for name, expression in panels().items()}
    assert {name: names for name, names in unknown.items() if names} == {}
    assert {name.split()[1] for name in panels() if name.startswith("promises: P")} == {f"P{n}" for n in range(1, 10)}


def test_panels_overlap_nowhere() -> None:
    for text in files().values():
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(text)["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & taken
            assert at["x"] + at["w"] <= 24
            taken |= cells


def unknown(said: Any, understood: Any, at: str = "") -> Iterator[str]:
    """Places of a page that Grafana's own schema has no field for, or takes for something else."""
    if isinstance(said, dict) and isinstance(understood, dict):
        for name, value in said.items():
            yield from unknown(value, understood.get(name), f"{at}.{name}" if at else name)
    elif isinstance(said, list) and isinstance(understood, list) and len(said) == len(understood):
        for number, pair in enumerate(zip(said, understood, strict=True)):
            yield from unknown(*pair, f"{at}.{number}")
    elif said != understood:
        yield at


def _understood(page: dict[str, Any]) -> set[str]:
    register_default_plugins()
    return set(unknown(page, json.loads(JSONEncoder().encode(GrafanaDashboard.from_json(page)))))


@pytest.mark.parametrize("name", files())
def test_every_field_is_one_of_grafanas_own_schema(name: str) -> None:
    assert _understood(json.loads(files()[name])) <= _OF_THE_SOURCE


def test_a_field_that_grafana_does_not_know_is_noticed() -> None:
    page = json.loads(files()["doors.json"])
    page["panels"][0] |= {"titel": "x"}
    page["panels"][1]["targets"][0] |= {"expression": "up"}
    found = _understood(page) - _OF_THE_SOURCE
    assert found == {"panels.0.titel", "panels.1.targets.0.expression"}
