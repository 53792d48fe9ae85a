"""What a panel of Grafana is, as far as ours go: a title, a question to Prometheus or PostgreSQL, a unit; laid out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}
_DAYS = "30d"  # what is asked of PostgreSQL is counted by day: the page's few hours would show a point or two
_WIDTH, _HEIGHT, _STAT_WIDTH, _STAT_HEIGHT, _GRID = 12, 8, 4, 4, 24
RATE = "[$__rate_interval]"
Unit = Literal["short", "s", "bytes", "percentunit", "reqps", "Bps"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One question over time, or as a single number where it is `stat`; red from `bad` on.

    With `sql` it is a statement that answers time, metric and a value, and shows the last thirty days."""

    title: str
    asks: str
    legend: str = ""
    unit: Unit = "short"
    stat: bool = False
    bad: float | None = None
    below: bool = False  # it is what lies below `bad` that is bad
    says: str = ""
    sql: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return (_STAT_WIDTH, _STAT_HEIGHT) if self.stat else (_WIDTH, _HEIGHT)

    def as_json(self, number: int, x: int, y: int) -> dict[str, Any]:
        width, height = self.size
        good, bad = ("red", "green") if self.below else ("green", "red")
        steps: list[dict[str, Any]] = [{"color": good, "value": None}]
        if self.bad is not None:
            steps.append({"color": bad, "value": self.bad})
        source = _POSTGRES if self.sql else _SOURCE
        return {
            "id": number,
            "type": "stat" if self.stat else "timeseries",
            "title": self.title,
            "description": self.says,
            "datasource": source,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}},
                "overrides": [],
            },
            "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"}
            if self.stat
            else {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
            "targets": [{"refId": "A", "datasource": source} | self._question()],
        } | ({"timeFrom": _DAYS} if self.sql else {})

    def _question(self) -> dict[str, Any]:
        if self.sql:
            return {"rawSql": self.asks, "rawQuery": True, "editorMode": "code", "format": "time_series"}
        return {"expr": self.asks, "legendFormat": self.legend or "__auto"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels. With `by_store` a store can be chosen, by its short name."""

    name: str
    says: str
    panels: Sequence[Panel]
    by_store: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "uid": f"wootstream-{self.name.lower()}",
            "title": self.name,
            "description": self.says,
            "tags": ["wootstream"],
            "schemaVersion": 39,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_STORE] if self.by_store else []},
            "annotations": {"list": [_ALERTS]},
            "panels": list(_laid_out(self.panels)),
        }


_STORE = {
    "name": "store",
    "label": "Store",
    "type": "query",
    "datasource": _SOURCE,
    "query": {"query": "label_values(wootstream_store_info, slug)", "refId": "store"},
    "refresh": 2,
    "includeAll": True,
    "allValue": ".*",
    "multi": False,
}
_ALERTS = {
    "name": "Alerts",
    "datasource": _SOURCE,
    "enable": True,
    "iconColor": "red",
    "expr": 'ALERTS{alertstate="firing",severity="page"}',
    "titleFormat": "{{alertname}}",
}


def _laid_out(panels: Sequence[Panel]) -> Sequence[dict[str, Any]]:
    found, x, y, row = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        width, height = panel.size
        if x + width > _GRID or (row and height != row):
            x, y = 0, y + row
        found.append(panel.as_json(number, x, y))
        x, row = x + width, height
    return found
