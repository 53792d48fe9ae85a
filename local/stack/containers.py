"""The stack in Docker (STACK=docker), for platforms without the packages. Its data ends with the containers."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from local.stack.embedded import Stack
from local.stack.errors import Unavailable
from local.stack.machine.ports import HOST, free_ports
from local.stack.servers import kafka, postgres

_KAFKA_IMAGE = "apache/kafka:4.3.0"
_POSTGRES_IMAGE = "postgres:18"
_READY_SECONDS = 120.0
_POLL_SECONDS = 0.2


@asynccontextmanager
async def contained() -> AsyncIterator[Stack]:
    """Kafka and PostgreSQL in containers for the length of a `with`. Raises Unavailable without Docker."""
    kafka_port, postgres_port = free_ports(2)
    password = secrets.token_urlsafe(18)
    stack = Stack(
        kafka=f"{HOST}:{kafka_port}", database_url=f"postgresql://postgres:{password}@{HOST}:{postgres_port}/wootstream"
    )
    with ExitStack() as running:
        await asyncio.to_thread(_start, running, kafka_port, postgres_port, password)
        await _wait(lambda: kafka.answers(stack.kafka), "Kafka")
        await _wait(lambda: postgres.answers(stack.database_url), "PostgreSQL")
        yield stack


def _start(running: ExitStack, kafka_port: int, postgres_port: int, password: str) -> None:
    try:
        from testcontainers.core.container import DockerContainer

        for container in (_kafka(DockerContainer, kafka_port), _postgres(DockerContainer, postgres_port, password)):
            running.enter_context(container)
    except Exception as error:  # the Docker client has a dozen errors for "there is no Docker here"
        raise Unavailable(
            f"STACK=docker, but Docker runs no container ({str(error).splitlines()[0]}): start it, or unset STACK"
        ) from error


def _kafka(container: Any, port: int) -> Any:
    node = container(_KAFKA_IMAGE).with_bind_ports(9092, (HOST, port))
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": "4718592",
    }.items():
        node = node.with_env(name, value)
    return node


def _postgres(container: Any, port: int, password: str) -> Any:
    server = container(_POSTGRES_IMAGE).with_bind_ports(5432, (HOST, port))
    return server.with_env("POSTGRES_PASSWORD", password).with_env("POSTGRES_DB", "wootstream")


async def _wait(answers: Callable[[], Awaitable[bool]], name: str) -> None:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while not await answers():
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as late:
        raise Unavailable(f"{name} in Docker did not answer within {_READY_SECONDS:.0f} s: see `docker logs`") from late
