"""Kafka behind TLS, as it is run: every client of ours reaches it in every way that it takes, and says why not."""

import re
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from faststream.kafka.security import parse_security

import services
from local.process_environment import environment_of
from services.kernel import Settings, Stop
from services.kernel.errors import Unreachable, describe
from services.kernel.kafka import client
from services.kernel.kafka.topics import Admin, cluster_id
from tests.databases import copied_database
from tests.eventually import eventually
from tests.kernel_bench import Bench, open_bench
from tests.own_kafka import OwnKafka
from tests.services.control.verbs import answer, call

Way = Callable[[OwnKafka], dict[str, Any]]

_LOGIN_AND_CA = {"kafka_security": "sasl_tls", "kafka_username": "u", "kafka_password": "p"}


def _password(mechanism: str) -> Way:
    return lambda node: node.settings | {"kafka_sasl_mechanism": mechanism}


def _certificate(node: OwnKafka) -> dict[str, Any]:
    return {
        "kafka_bootstrap_servers": node.certificate_address,
        "kafka_security": "tls",
        "kafka_ca_file": str(node.tls.ca),
        "kafka_certificate_file": str(node.tls.client),
    }


_WAYS = {
    "SCRAM-SHA-512": _password("SCRAM-SHA-512"),
    "SCRAM-SHA-256": _password("SCRAM-SHA-256"),
    "PLAIN": _password("PLAIN"),
    "client certificate": _certificate,
}
_on_own_kafka = pytest.mark.xdist_group("the Kafka over TLS")


@pytest.fixture
async def node(tls_kafka: OwnKafka) -> OwnKafka:
    await tls_kafka.start()
    return tls_kafka


@pytest.fixture(params=_WAYS)
async def bench(
    request: pytest.FixtureRequest, node: OwnKafka, database_url: str, tmp_path: Path
) -> AsyncIterator[Bench]:
    how = _WAYS[request.param](node)
    async with open_bench(how["kafka_bootstrap_servers"], database_url, tmp_path, partitions=1, more=how) as opened:
        yield opened


@_on_own_kafka
async def test_records_go_in_and_come_out(bench: Bench) -> None:
    async with bench.consuming() as process:
        await bench.send(range(20))
        await bench.until("applied", 20)
        labels = {"group": bench.group, "topic": bench.topic.name, "partition": "0"}
        await eventually(lambda: process.registry.get_sample_value("wootstream_lag_records", labels) == 0)
    assert await bench.stored() == list(range(20))


@_on_own_kafka
async def test_verbs_reach_it(node: OwnKafka, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with copied_database(migrated) as url:
        how = node.settings
        async with open_bench(how["kafka_bootstrap_servers"], url, tmp_path, partitions=1, more=how) as bench:
            for name, value in environment_of(bench.settings).items():
                monkeypatch.setenv(name, value)
            async with bench.consuming():
                await bench.send([1, -1])  # the sink refuses the latter
                await bench.until("consumed", 2)

            assert (await call("topics")).exit_code == 0
            assert (await answer("dead-letters", "redrive"))["sent"] == 1
            async with bench.consuming():
                await bench.until("consumed", 3)
            assert [one["group"] for one in (await answer("audit"))["topics"] if one["consumed"]] == [bench.group]
            assert (await call("tail", "--once")).exit_code == 0
            assert (await call("offsets", "show")).exit_code == 0


def _wrong_password(node: OwnKafka) -> dict[str, Any]:
    return node.settings | {"kafka_password": "guessed-wrong"}


def _other_authority(node: OwnKafka) -> dict[str, Any]:
    return {name: value for name, value in node.settings.items() if name != "kafka_ca_file"}


def _other_name(node: OwnKafka) -> dict[str, Any]:
    port = node.settings["kafka_bootstrap_servers"].rpartition(":")[2]
    return node.settings | {"kafka_bootstrap_servers": f"localhost:{port}"}


def _in_clear(node: OwnKafka) -> dict[str, Any]:
    return {"kafka_bootstrap_servers": node.settings["kafka_bootstrap_servers"], "kafka_security": "plaintext"}


def _without_certificate(node: OwnKafka) -> dict[str, Any]:
    return {name: value for name, value in _certificate(node).items() if name != "kafka_certificate_file"}


def _without_password(node: OwnKafka) -> dict[str, Any]:
    return _without_certificate(node) | {"kafka_bootstrap_servers": node.settings["kafka_bootstrap_servers"]}


@_on_own_kafka
@pytest.mark.parametrize(
    ("how", "says"),
    [
        (_wrong_password, "refuses this user name or password: see WOOTSTREAM_KAFKA_USERNAME"),
        (_other_authority, "self-signed certificate in certificate chain|unable to get local issuer certificate"),
        (_other_name, "Hostname mismatch.*WOOTSTREAM_KAFKA_CA_FILE"),
        (_in_clear, "hangs up on us: see WOOTSTREAM_KAFKA_SECURITY"),
        (_without_certificate, "wants a client's certificate.*WOOTSTREAM_KAFKA_CERTIFICATE_FILE"),
        (_without_password, "hangs up on us: see WOOTSTREAM_KAFKA_SECURITY"),
    ],
)
async def test_refusal_names_the_cure_and_no_secret(node: OwnKafka, how: Way, says: str) -> None:
    settings = Settings.model_validate(how(node))
    with pytest.raises(Unreachable) as refused:
        await cluster_id(settings)
    assert re.search(says, describe(refused.value))
    assert "guessed" not in describe(refused.value)


async def test_tls_against_a_kafka_in_clear_is_named(kafka: str) -> None:
    settings = Settings.model_validate({"kafka_bootstrap_servers": kafka, "kafka_security": "tls"})
    with pytest.raises(Unreachable, match="WOOTSTREAM_KAFKA_SECURITY"):
        async with Admin(settings):
            pass


@pytest.mark.parametrize("security", ["plaintext", "tls", "sasl_tls", "sasl_plaintext"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_faststream_is_told_the_same_as_aiokafka(security: str, mechanism: str) -> None:
    login = {"kafka_username": "jan", "kafka_password": "secret"} if "sasl" in security else {}
    settings = Settings.model_validate({"kafka_security": security, "kafka_sasl_mechanism": mechanism} | login)

    ours = client.client_options(settings)
    theirs = parse_security(client._security(settings))

    names = {name for name in ours if name.startswith(("security_", "sasl_"))}
    assert {name: theirs.get(name) for name in names} == {name: ours[name] for name in names}
    for options in (ours, theirs):
        context = options.get("ssl_context")
        assert (context is not None) == security.endswith("tls")
        assert context is None or (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kafka_username": "jan"}, "KAFKA_USERNAME does nothing with WOOTSTREAM_KAFKA_SECURITY=plaintext"),
        ({"kafka_security": "tls", "kafka_password": "p"}, "KAFKA_PASSWORD does nothing with"),
        ({"kafka_ca_file": "ca.pem"}, "KAFKA_CA_FILE does nothing with"),
        ({"kafka_security": "sasl_tls", "kafka_username": "jan"}, "needs WOOTSTREAM_KAFKA_PASSWORD"),
        ({"kafka_security": "tls", "kafka_key_file": "key.pem"}, "needs WOOTSTREAM_KAFKA_CERTIFICATE_FILE"),
        (_LOGIN_AND_CA | {"kafka_ca_file": "/no/such.pem"}, "KAFKA_CA_FILE=/no/such.pem cannot be read: No such file"),
        (_LOGIN_AND_CA | {"kafka_ca_file": __file__}, "holds no usable PEM"),
        (_LOGIN_AND_CA | {"kafka_certificate_file": __file__}, "holds no usable PEM, or its key"),
        ({"kafka_bootstrap_servers": "kafka://k:9092"}, "host:port separated by commas"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(Stop, match=says):
        client.client_options(Settings.model_validate(given))


def test_no_module_makes_a_client_of_its_own() -> None:
    makes = re.compile(r"\b(AIOKafka(Consumer|Producer|AdminClient)|KafkaBroker)\(")
    folder = Path(services.__file__).parent
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if makes.search(path.read_text())}
    assert found == {"kernel/kafka/client.py"}
