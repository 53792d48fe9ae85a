"""The pages of Grafana: as the builder writes them, asking only for what somebody exports."""

import json
from pathlib import Path

from local.dashboards.__main__ import FOLDER, files
from tests.edge.test_alerts import KNOWN, metrics_of
from tests.edge.watching import panels

_ALERTS = {"ALERTS"}  # Prometheus' own


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
