"""The pages of Grafana: as the builder writes them, asking only for what somebody exports."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as GrafanaDashboard

from db.pool import Pool
from local.dashboards.__main__ import FOLDER, files
from tests.edge.monitoring.test_alerts import KNOWN, metrics_of
from tests.edge.monitoring.watching import panels
from tests.services.attached import attach
from tests.services.widget.test_handlers import event, keep, post

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


async def test_panels_of_the_widget_show_daily_counts_to_a_login_that_reads_nothing_else(
    pool: Pool, admin_pool: Pool
) -> None:
    store, noon = await attach(admin_pool), datetime.now(UTC).replace(hour=12)
    kinds: list[dict[str, Any]] = [{}, {"event_data": {"failed": True}}, {"event_type": "widget_opened"}]
    await keep(pool, [post(store, *(event(noon, **fields) for fields in kinds), received_at=noon)])
    datasource = yaml.safe_load((FOLDER.parent / "provisioning/datasources/postgres.yaml").read_text())["datasources"][
        0
    ]
    between = f"day between '{noon:%Y-%m-%dT00:00:00Z}' and '{noon:%Y-%m-%dT23:00:00Z}'"  # as Grafana writes it
    shown = {}
    async with admin_pool.acquire() as conn, conn.transaction():
        await conn.execute(f"set local role {datasource['user']}")
        for name, statement in panels(datasource["uid"]).items():
            rows = await conn.fetch(statement.replace("$__timeFilter(day)", between))
            shown[name.rpartition(", ")[2]] = {row["metric"]: row["value"] for row in rows}[f"shop-{store.hex[:12]}"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("select from public.chatwoot_widget_daily")
    assert shown == {
        "loaded a day": 1, "opened of a hundred loaded": 100, "conversations started a day": None,
        "did not come of a hundred asked for": 50,
    }  # fmt: skip


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
