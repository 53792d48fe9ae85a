"""Kafka tells Prometheus of itself by the agent and the rules that compose.yaml and Strimzi give it."""

from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.kafka.fetch_agent import fetch
from schemas import topics
from tests.edge.monitoring.kafka_agent import told_by_kafka
from tests.edge.monitoring.test_alerts import KAFKA, PROCESS

_ROOT = Path(__file__).parents[3]


async def test_a_real_kafka_tells_every_series_that_an_alert_or_a_panel_asks_for(tmp_path: Path) -> None:
    async with told_by_kafka(tmp_path / "kafka") as address, httpx.AsyncClient(timeout=30) as client:
        text = (await client.get(f"http://{address}/metrics")).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    assert {one.name for one in samples} >= KAFKA | PROCESS
    sizes = {one.labels["topic"] for one in samples if one.name == "kafka_log_log_size"}
    assert sizes >= {topic.name for topic in topics.ALL}
    times = {
        (one.labels["request"], one.labels["quantile"])
        for one in samples
        if one.name == "kafka_network_requestmetrics_totaltimems"
    }
    assert times == {(request, of) for request in ("Produce", "FetchConsumer") for of in ("0.50", "0.99")}
    assert len(samples) < 1_000  # of ten thousand that it has


def test_an_agent_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "agent.jar").write_bytes(b"another")
    with pytest.raises(ValueError, match="is not the agent that we know"):
        fetch(tmp_path)


def test_compose_loads_the_agent_into_the_server_alone_and_prometheus_asks_every_broker() -> None:
    one, three = (
        yaml.safe_load((_ROOT / name).read_text())["services"]
        for name in ("compose.yaml", "compose.three-brokers.yaml")
    )
    said = one["kafka"]["environment"]
    assert "-javaagent:/opt/agent/agent.jar=9404:/opt/agent/metrics.yaml" in said["EXTRA_ARGS"].split()
    assert "KAFKA_OPTS" not in said
    for services, brokers in ((one, {"kafka"}), (three, {name for name in three if name.startswith("kafka")})):
        (folder,) = (str(at).partition(":")[0] for at in services["prometheus"]["volumes"] if "/etc/brokers" in str(at))
        (told,) = yaml.safe_load((_ROOT / folder / "kafka.yaml").read_text())
        assert set(told["targets"]) == {f"{name}:9404" for name in brokers}
