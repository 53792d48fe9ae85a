"""The alerts: each knows its promise, its runbook and two cases; none asks for a metric that nobody exports."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from services.cli import command_line

_ROOT = Path(__file__).parents[3]
_RULES = _ROOT / "deploy/prometheus/rules"
RUNBOOKS = _ROOT / "docs/runbooks"
_PROMISES = {f"P{number}" for number in range(1, 10)}
_SECTIONS = ["What it means", "Look here", "Do this", "Done when"]
# What others export; `make edge` asks the real ones.
PROMETHEUS = {"up"}
NODE = {
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_cpu_seconds_total",
    "node_disk_io_time_seconds_total",
}
POSTGRES = {
    "pg_settings_max_connections",
    "pg_stat_activity_count",
    "pg_stat_database_blks_hit",
    "pg_stat_database_blks_read",
    "pg_stat_database_deadlocks",
    "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback",
    "pg_database_size_bytes",
}
# The same by CloudNativePG, whose source names them so; it can be asked in a cluster alone.
CLOUDNATIVE = {f"cnpg_{name}" for name in POSTGRES if name.startswith(("pg_stat_database", "pg_database"))} | {
    "cnpg_backends_total",
    "cnpg_pg_settings_setting",
}
# The agent in Kafka's process, by deploy/kafka/metrics.yaml.
KAFKA = {
    "kafka_controller_kafkacontroller_activecontrollercount",
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    "kafka_log_log_size",
    "kafka_log_logmanager_offlinelogdirectorycount",
    "kafka_network_requestmetrics_totaltimems",
    "kafka_server_brokertopicmetrics_bytesin_total",
    "kafka_server_brokertopicmetrics_bytesout_total",
    "kafka_server_brokertopicmetrics_messagesin_total",
    "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent",
    "kafka_server_replicamanager_underminisrpartitioncount",
    "kafka_server_replicamanager_underreplicatedpartitions",
    "jvm_gc_collection_seconds_sum",
    "jvm_memory_max_bytes",
    "jvm_memory_used_bytes",
}
PROCESS = {"process_max_fds", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
           "process_cpu_seconds_total"}  # fmt: skip
BACKUP = {"wootstream_backup_timestamp_seconds"}  # deploy/backup, through the node exporter's text files
_SUFFIXES = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "InfoMetricFamily": ("_info",),
}
_WORDS = re.compile(r"[a-zA-Z_:][\w:]*")
_NOT_METRICS = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)|\w+(?=\s*\()|offset\s+\w+|\"[^\"]*\""
)
_KEYWORDS = {"and", "or", "unless", "bool"}


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(_RULES.glob("*.yaml"))
        if not path.name.endswith(".test.yaml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def exported() -> set[str]:
    """Names of all series that our own processes export. Every worker asks: only modules that may make one are read."""
    makes = re.compile("|".join(rf"\b{name}\(" for name in _SUFFIXES))
    return {
        node.args[0].value + suffix
        for path in sorted((_ROOT / "services").rglob("*.py"))
        if makes.search(text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SUFFIXES
        and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
        for suffix in _SUFFIXES[node.func.id]
    }  # fmt: skip


def metrics_of(expression: str) -> set[str]:
    """Names of the series that an expression asks for."""
    bare = expression
    for _ in range(2):  # what stands before a parenthesis may itself have ended with one
        bare = _NOT_METRICS.sub(" ", bare)
    return {word for word in _WORDS.findall(bare) if word not in _KEYWORDS}


RULES = rules()
KNOWN = exported() | PROMETHEUS | NODE | POSTGRES | CLOUDNATIVE | KAFKA | PROCESS | BACKUP


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_alert_has_a_severity_a_promise_a_runbook_and_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["labels"]["promise"] in _PROMISES
    page = RUNBOOKS / f"{rule['alert']}.md"
    assert rule["annotations"]["runbook"] == str(page.relative_to(_ROOT))
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == _SECTIONS
    asked = metrics_of(rule["expr"])
    assert asked
    assert asked <= KNOWN


def test_every_promise_is_guarded_and_every_runbook_has_its_alert() -> None:
    assert {rule["labels"]["promise"] for rule in RULES} == _PROMISES
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in RULES}
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 40


def test_a_metric_that_nobody_exports_is_noticed() -> None:
    expression = 'sum by (store) (rate(wootstream_acepted_total{door="webhooks"}[5m] offset 1d)) > 3 unless up == 1'
    assert metrics_of(expression) - KNOWN == {"wootstream_acepted_total"}


def cases() -> Iterator[tuple[str, bool]]:
    """Name of an alert, and whether the case says that it fires."""
    for path in _RULES.glob("*.test.yaml"):
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group["promql_expr_test"]:
                name = re.search(r'alertname="(\w+)"', case["expr"])
                assert name
                assert name[1] == group["name"]
                yield name[1], bool(case["exp_samples"])


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    found = set(cases())
    assert found == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


@pytest.mark.parametrize("path", sorted(_RULES.glob("*.test.yaml")), ids=lambda path: path.name)
def test_cases_hold_in_prometheus_own_words(path: Path) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is missing (Debian: prometheus)")
    done = subprocess.run(
        [promtool, "test", "rules", path.name], cwd=_RULES, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def verbs() -> Iterator[tuple[str, list[str]]]:
    """Those that a runbook says to type; tests/docs holds that they are there with their options, as in every page."""
    for page in RUNBOOKS.glob("*.md"):
        for code in re.findall(r"`wootstream ([^`]+)`", page.read_text()):
            yield page.name, code.split()


def _verb_of(root: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The verb, and what is said behind it."""
    command, rest = root, list(words)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    return command, rest


def _lacks(command: Any, said: list[str]) -> list[str]:
    """What the verb needs and is not told; of a verb that only leads to others, one of them."""
    if hasattr(command, "commands") and not command.invoke_without_command:
        return ["VERB"]
    valued = {name for one in command.params for name in one.opts if not getattr(one, "is_flag", True)}
    places = [
        word for at, word in enumerate(said) if not word.startswith("--") and (at == 0 or said[at - 1] not in valued)
    ]
    needed = [one for one in command.params if one.required]
    arguments = [one.name for one in needed if one.param_type_name == "argument"]
    options = [one.opts[0] for one in needed if one.param_type_name == "option" and not {*one.opts} & {*said}]
    return arguments[len(places) :] + options


def test_verbs_of_the_runbooks_lack_nothing_that_they_need() -> None:
    """Who reads a runbook has an alert, and types what it says."""
    root = typer.main.get_command(command_line())
    lacking = [(page, " ".join(words), lacks) for page, words in verbs() if (lacks := _lacks(*_verb_of(root, words)))]
    assert lacking == []
