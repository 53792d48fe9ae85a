"""Every object of every overlay: as Kubernetes' own schemas have it, and as our own rules for a pod do."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from schemas import topics
from services.cli import SERVICES
from services.kernel import Settings
from services.kernel.settings import is_secret
from services.kernel.telemetry.own_release import release

_K8S = Path(__file__).parents[3] / "k8s"
_OVERLAYS = ("small", "large", "operators")
_KUBERNETES = "1.36"
_WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Their schemas are their operators': `make k8s` asks a real API server where those are at hand.
_CUSTOM = re.compile(r"(kafka\.strimzi\.io|postgresql\.cnpg\.io|monitoring\.coreos\.com|keda\.sh|gateway\.networking)")
Manifest = dict[str, Any]

pytestmark = [
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
    pytest.mark.xdist_group("what kubectl renders"),  # once, and not by each worker
]


@cache
def rendered(overlay: str) -> list[Manifest]:
    out = subprocess.run(["kubectl", "kustomize", _K8S / "overlays" / overlay], capture_output=True, check=True)
    return [one for one in yaml.safe_load_all(out.stdout) if one]


def named(one: Manifest) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """What each workload makes its pods of."""
    for one in rendered(overlay):
        if one["kind"] in _WORKLOADS:
            yield named(one), one["spec"]["template"]


def environment(container: Manifest, overlay: str) -> dict[str, str]:
    """Each variable of the container: what it says, or where from."""
    maps = {one["metadata"]["name"]: one["data"] for one in rendered(overlay) if one["kind"] == "ConfigMap"}
    said: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        said |= maps[source["configMapRef"]["name"]]
    return said | {one["name"]: str(one.get("value", one.get("valueFrom"))) for one in container["env"]}


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_each_object_is_as_kubernetes_has_it(overlay: str) -> None:
    for one in rendered(overlay):
        if not _CUSTOM.match(one["apiVersion"]):
            kubernetes_validate.validate(one, _KUBERNETES, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_seen() -> None:
    one = next(one for one in rendered("small") if one["kind"] == "StatefulSet")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**one, "spec": {**one["spec"], "replica": 2}}, _KUBERNETES, strict=True)


def faults_of(template: Manifest) -> list[str]:
    """Where a pod is less confined than the profile `restricted` and our own rules ask."""
    spec, found = template["spec"], []
    mine = spec.get("securityContext", {})
    wanted: dict[str, bool] = {
        "it runs as root": not mine.get("runAsNonRoot") or not mine.get("runAsUser"),
        "it has no seccomp profile": mine.get("seccompProfile", {}).get("type") != "RuntimeDefault",
        "it has a token of the cluster's": spec.get("automountServiceAccountToken") is not False,
        "it is told of every service": spec.get("enableServiceLinks") is not False,
        "it uses the host": any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "it mounts the host": any("hostPath" in one for one in spec.get("volumes", ())),
    }
    for one in [*spec.get("initContainers", ()), *spec["containers"]]:
        closed = one.get("securityContext", {})
        wanted |= {
            "it may gain privileges": closed.get("allowPrivilegeEscalation") is not False,
            "it has capabilities": closed.get("capabilities", {}).get("drop") != ["ALL"],
            "its root can be written": closed.get("readOnlyRootFilesystem") is not True,
            "its memory has no limit": "memory" not in one.get("resources", {}).get("limits", {}),
            "it asks for no processor": "cpu" not in one.get("resources", {}).get("requests", {}),
            "its image has no version": not re.fullmatch(r".+:\d+\.\d+\.\d+", one["image"]),
        }
    found += [what for what, is_so in wanted.items() if is_so]
    mounts = {one["name"] for container in spec["containers"] for one in container.get("volumeMounts", ())}
    claimed = {"spool"}
    if missing := mounts - {one["name"] for one in spec.get("volumes", ())} - claimed:
        found.append(f"it mounts what it has not: {missing}")
    return found


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_each_pod_is_confined(overlay: str) -> None:
    assert {name: faults for name, template in pods(overlay) if (faults := faults_of(template))} == {}


def test_a_pod_that_is_not_confined_is_seen() -> None:
    _, template = next(pods("small"))
    spec = {**template["spec"], "hostNetwork": True, "securityContext": {}}
    spec["containers"] = [
        {**spec["containers"][0], "securityContext": {}, "resources": {}, "image": "wootstream:latest"}
    ]
    assert len(faults_of({"spec": spec})) == 9


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_each_variable_is_a_setting_with_a_value_that_it_takes(overlay: str) -> None:
    known = {Settings.variable(name): (name, field) for name, field in Settings.model_fields.items()}
    files = {f"{variable}_FILE" for variable, (_, field) in known.items() if is_secret(field)}
    for workload, template in pods(overlay):
        for container in template["spec"]["containers"]:
            said = environment(container, overlay)
            assert said.keys() <= known.keys() | files, workload
            plain = {known[one][0]: value for one, value in said.items() if one in known}
            Settings.model_validate(plain)
            # A secret is in a file: what stands here anybody reads who may list pods.
            assert not [one for one in said if one in known and is_secret(known[one][1])], workload
            mounts = {one["mountPath"] for one in container["volumeMounts"]}
            for variable, value in said.items():
                if variable.endswith("_FILE"):
                    assert str(Path(value).parent) in mounts, (workload, variable)


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_no_secret_is_in_the_manifests(overlay: str) -> None:
    assert [named(one) for one in rendered(overlay) if one["kind"] == "Secret"] == []
    assert not re.search(r"postgres(ql)?://|PRIVATE KEY", yaml.safe_dump_all(rendered(overlay)))


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_who_is_selected_is_there_and_each_port_is_named(overlay: str) -> None:
    templates = [template for _, template in pods(overlay)]
    ports = {port["name"] for one in templates for c in one["spec"]["containers"] for port in c.get("ports", ())}
    assert ports == {"http"}
    for one in rendered(overlay):
        spec = one.get("spec", {})
        if one["kind"] in ("Deployment", "StatefulSet"):
            wanted = spec["selector"]["matchLabels"]
            assert wanted.items() <= spec["template"]["metadata"]["labels"].items(), named(one)
        if one["kind"] in ("Service", "PodDisruptionBudget"):
            wanted = spec["selector"].get("matchLabels", spec["selector"])
            assert [t for t in templates if wanted.items() <= t["metadata"]["labels"].items()], named(one)
        if one["kind"] == "Service":
            assert {port["targetPort"] for port in spec["ports"]} <= ports
        if one["kind"] == "StatefulSet":
            services = [named(other) for other in rendered(overlay) if other["kind"] == "Service"]
            assert f"Service/{spec['serviceName']}" in services
        if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = spec["scaleTargetRef"]
            assert f"{target['kind']}/{target['name']}" in map(named, rendered(overlay))


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_every_service_runs_once_and_each_has_a_disruption_budget(overlay: str) -> None:
    run = [c["args"][1:] for _, t in pods(overlay) for c in t["spec"]["containers"] if c["args"][0] == "run"]
    assert sorted(name for names in run for name in names) == sorted(SERVICES)
    budgets = {one["metadata"]["name"] for one in rendered(overlay) if one["kind"] == "PodDisruptionBudget"}
    assert budgets == {names[0] for names in run}


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_nothing_may_be_reached_that_no_rule_names(overlay: str) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in rendered(overlay) if one["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    anybody = [name for name, spec in policies.items() for rule in spec.get("ingress", ()) if not rule.get("from")]
    assert anybody == []


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_the_jobs_are_those_of_this_release(overlay: str) -> None:
    version = release().partition("@")[2]
    jobs = [one for one in rendered(overlay) if one["kind"] == "Job"]
    assert {one["metadata"]["name"].partition("-")[2] for one in jobs} == {version.replace(".", "-")}
    images = {c["image"] for _, template in pods(overlay) for c in template["spec"]["containers"]}
    assert images == {f"wootstream:{version}"}


def test_the_operator_makes_the_topics_as_we_would_and_nobody_else_does() -> None:
    made = {one["metadata"]["name"]: one["spec"] for one in rendered("operators") if one["kind"] == "KafkaTopic"}
    assert made.keys() == {one.name for one in topics.ALL}
    for topic in topics.ALL:
        spec = made[topic.name]
        config = {name: str(value).lower() for name, value in spec["config"].items()}
        wanted = topic.overrides(min_insync_replicas=2)
        assert (spec["partitions"], spec["replicas"]) == (topic.partitions, 3)
        assert wanted.items() <= config.items()
        assert config.keys() - wanted.keys() == (
            {"segment.bytes", "retention.bytes"} if topic.bounded_by_bytes else set()
        )
    assert not [one for one in rendered("operators") if one["kind"] == "Job" and "topics" in one["metadata"]["name"]]


def test_the_login_of_the_services_may_use_our_topics_and_no_other() -> None:
    [user] = [one["spec"] for one in rendered("operators") if one["kind"] == "KafkaUser"]
    acls = user["authorization"]["acls"]
    assert {one["resource"]["name"] for one in acls if one["resource"]["type"] == "topic"} == {
        one.name for one in topics.ALL
    }
    assert not {"All", "Alter", "Delete", "Create"} & {what for one in acls for what in one["operations"]}


def test_the_operators_brokers_tell_what_those_of_the_one_host_do_and_monitoring_may_ask_them() -> None:
    [kafka] = [one["spec"]["kafka"] for one in rendered("operators") if one["kind"] == "Kafka"]
    asked = kafka["metricsConfig"]["valueFrom"]["configMapKeyRef"]
    [told] = [one["data"] for one in rendered("operators") if one["metadata"]["name"] == asked["name"]]
    assert told[asked["key"]] == (_K8S.parent / "deploy/kafka/metrics.yaml").read_text(), "copy it"
    for name, port in (("kafka", 9404), ("postgres", 9187)):
        [policy] = [one["spec"] for one in rendered("operators") if named(one) == f"NetworkPolicy/{name}"]
        monitoring = {"namespaceSelector": {"matchLabels": {"wootstream/monitoring": "true"}}}
        assert {"from": [monitoring], "ports": [{"protocol": "TCP", "port": port}]} in policy["ingress"]


def test_the_operator_has_the_alerts_of_the_one_host() -> None:
    [rule] = [one["spec"] for one in rendered("operators") if one["kind"] == "PrometheusRule"]
    files = sorted((_K8S.parent / "deploy" / "prometheus" / "rules").glob("*.yaml"))
    told = [yaml.safe_load(one.read_text())["groups"] for one in files if not one.name.endswith(".test.yaml")]
    assert rule["groups"] == [group for groups in told for group in groups], "run k8s/check/alerts"
