"""Prometheus looks at each process that compose starts, and loads each file of rules."""

from pathlib import Path

import yaml

_ROOT = Path(__file__).parents[3]
_CONFIGURATION = yaml.safe_load((_ROOT / "deploy/prometheus/prometheus.yml").read_text())
_SERVICES = yaml.safe_load((_ROOT / "compose.yaml").read_text())["services"]


def test_every_service_of_ours_is_scraped_at_its_own_port() -> None:
    (ours,) = (job for job in _CONFIGURATION["scrape_configs"] if job["job_name"] == "wootstream")
    targets = {target for one in ours["static_configs"] for target in one["targets"]}
    running = {
        f"{name}:{service['environment'].get('WOOTSTREAM_HTTP_PORT', '8080')}"
        for name, service in _SERVICES.items()
        if service["image"].startswith("wootstream:") and service["command"][0] == "run"
    }
    assert targets == running


def test_every_file_of_rules_is_loaded_and_every_other_target_is_a_service() -> None:
    files = {f"rules/{path.name}" for path in (_ROOT / "deploy/prometheus/rules").glob("*.yaml")}
    assert set(_CONFIGURATION["rule_files"]) == {name for name in files if not name.endswith(".test.yaml")}
    hosts = {
        target.partition(":")[0]
        for job in _CONFIGURATION["scrape_configs"]
        for one in job.get("static_configs", ())
        for target in one["targets"]
    }
    assert hosts - {"localhost"} <= _SERVICES.keys()
