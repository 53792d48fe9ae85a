"""A real Prometheus with our own rules, and a real Alertmanager with our own routes, that watch what a test runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import yaml

from local.stack.machine.ports import HOST, free_ports
from tests.clients.clients import tool
from tests.edge.monitoring.kafka_agent import told_by_kafka
from tests.edge.upstream import hearing
from tests.eventually import eventually

_DEPLOY = Path(__file__).parents[3] / "deploy"
_EVERY = "1s"
_SLOWER = {"host": "10s", "postgres": "10s"}  # they look at much, on a machine that has other work
# Grafana's own variables, as for a window that holds some scrapes.
_VARIABLES = {"$__rate_interval": "20s", "$__interval": "5s", "$__range": "5m", "$store": ".*"}


@dataclass
class Watch:
    """What Prometheus sees, and what Alertmanager has told."""

    client: httpx.AsyncClient
    told: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, _path: str, body: bytes) -> None:
        """What Alertmanager pages with."""
        self.told += json.loads(body)["alerts"]

    def fired(self, name: str, status: str = "firing") -> list[dict[str, Any]]:
        return [one for one in self.told if (one["labels"]["alertname"], one["status"]) == (name, status)]

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that answer. Raises AssertionError where it cannot be read."""
        answer = (await self.client.get("/api/v1/query", params={"query": expression})).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def rules(self) -> list[dict[str, Any]]:
        groups = (await self.client.get("/api/v1/rules")).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def targets(self) -> Mapping[str, str]:
        active = (await self.client.get("/api/v1/targets")).json()["data"]["activeTargets"]
        return {one["scrapeUrl"]: one["health"] for one in active}


def shortened(text: str, shorter: Mapping[str, Mapping[str, str]]) -> str:
    """The rules with other durations and bounds for the alerts named: nobody waits for days in a test."""
    loaded = yaml.safe_load(text)
    for rule in (rule for group in loaded["groups"] for rule in group["rules"]):
        for old, new in shorter.get(rule["alert"], {}).items():
            if old == "for":
                rule["for"] = new
                continue
            assert old in rule["expr"], (rule["alert"], old)
            rule["expr"] = rule["expr"].replace(old, new)
    return str(yaml.safe_dump(loaded))


def panels(source: str = "prometheus") -> dict[str, str]:
    """What each panel of each page asks of this source, with Grafana's variables put in."""
    found = {}
    for file in sorted((_DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["uid"] != source:
                    continue
                expression = target["rawSql" if source == "postgres" else "expr"]
                for name, value in _VARIABLES.items():
                    expression = expression.replace(name, value)
                found[f"{file.stem}: {panel['title']}"] = expression
    return found


@asynccontextmanager
async def watched(
    folder: Path, jobs: Mapping[str, Sequence[str]], shorter: Mapping[str, Mapping[str, str]]
) -> AsyncIterator[Watch]:
    """Both look at these host:port every second. Raises Absent."""
    prometheus, alertmanager = (
        tool("prometheus", "prometheus"),
        tool("prometheus-alertmanager", "prometheus-alertmanager"),
    )
    port, alert_port = free_ports(2)
    (folder / "rules").mkdir(parents=True)
    for file in (_DEPLOY / "prometheus/rules").glob("*.yaml"):
        if not file.name.endswith(".test.yaml"):
            names = {rule["alert"] for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]}
            mine = {name: how for name, how in shorter.items() if name in names}
            (folder / "rules" / file.name).write_text(shortened(file.read_text(), mine))
    configuration = yaml.safe_load((_DEPLOY / "prometheus/prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": _EVERY, "evaluation_interval": _EVERY}
    configuration["rule_files"] = [str(folder / one) for one in configuration["rule_files"]]
    configuration["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"{HOST}:{alert_port}"]
    configuration["scrape_configs"] = [
        {"job_name": job, "static_configs": [{"targets": list(addresses)}], "scrape_interval": _SLOWER.get(job, _EVERY)}
        for job, addresses in jobs.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=30))
        watch = Watch(client)
        address = await stack.enter_async_context(hearing(watch.hear))
        routes = yaml.safe_load((_DEPLOY / "alertmanager/alertmanager.yml").read_text())
        for part in (routes["route"], *routes["route"]["routes"]):
            part |= {"group_wait": "1s", "group_interval": "1s"}
        hook = [{"url": f"http://{address}/", "send_resolved": True}]
        routes["receivers"] = [{"name": name, "webhook_configs": hook} for name in ("page", "ticket")]
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(routes))
        await _started(
            stack, folder / "alertmanager.log", alertmanager, f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alerts", f"--web.listen-address={HOST}:{alert_port}", "--cluster.listen-address=",
        )  # fmt: skip
        await _started(
            stack, folder / "prometheus.log", prometheus, f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/series", f"--web.listen-address={HOST}:{port}",
        )  # fmt: skip
        await eventually(lambda: _ready(client))
        yield watch


async def _started(stack: AsyncExitStack, log: Path, *command: str) -> None:
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, stdout=file, stderr=file)

    async def ended() -> None:
        process.terminate()
        await process.wait()

    stack.push_async_callback(ended)


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).is_success
    except httpx.HTTPError:
        return False


@asynccontextmanager
async def exporters(folder: Path, database_url: str) -> AsyncIterator[Mapping[str, Sequence[str]]]:
    """The real exporters of this machine, of PostgreSQL and of a Kafka, and a backup as `deploy/backup` tells of it."""
    node, postgres = (
        tool(f"prometheus-{name}-exporter", f"prometheus-{name}-exporter") for name in ("node", "postgres")
    )
    node_port, postgres_port = free_ports(2)
    folder.mkdir()
    (folder / "backup.prom").write_text("wootstream_backup_timestamp_seconds 1\n")
    async with AsyncExitStack() as stack:
        await _started(
            stack, folder / "node.log", node, f"--web.listen-address={HOST}:{node_port}",
            f"--collector.textfile.directory={folder}",
        )  # fmt: skip
        source = f"{await stack.enter_async_context(_login(database_url))}?sslmode=disable"
        await _started(
            stack, folder / "postgres.log", "env", f"DATA_SOURCE_NAME={source}", postgres,
            f"--web.listen-address={HOST}:{postgres_port}",
        )  # fmt: skip
        kafka = await stack.enter_async_context(told_by_kafka(folder / "kafka"))
        yield {"host": [f"{HOST}:{node_port}"], "postgres": [f"{HOST}:{postgres_port}"], "kafka": [kafka]}


@asynccontextmanager
async def _login(database_url: str) -> AsyncIterator[str]:
    """Where the exporter logs in: its library takes no password that is hashed as seldom as the local server's are."""
    name, parts = f"exporter_{uuid4().hex[:12]}", urlsplit(database_url)
    conn = await asyncpg.connect(database_url, timeout=30)
    await conn.execute("set scram_iterations = 4096")
    await conn.execute(f"create role {name} login password '{name}' in role pg_monitor")
    try:
        yield parts._replace(netloc=f"{name}:{name}@{parts.hostname}:{parts.port}").geturl()
    finally:
        await conn.execute(f"drop role {name}")
        await conn.close()
