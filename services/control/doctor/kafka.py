"""Kafka as our topics find it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import Topic
from services.control.doctor.seen import KafkaSeen, TopicSeen
from services.kernel.kafka.topics import Admin
from services.kernel.settings import Settings


async def look(settings: Settings, wanted: Sequence[Topic]) -> KafkaSeen:
    """The brokers, and each topic that there is. Raises what the client raises."""
    names = sorted(topic.name for topic in wanted)
    async with Admin(settings) as admin:
        cluster, described = await asyncio.gather(admin.describe_cluster(), admin.describe_topics(names))
        there = {one["topic"]: one["partitions"] for one in described if not one["error_code"]}
        configs = await _settings_of(admin, sorted(there))
        return KafkaSeen(
            servers=[one.strip() for one in (settings.kafka_bootstrap_servers or "").split(",")],
            security=settings.kafka_security,
            brokers=len(cluster["brokers"]),
            replication=settings.kafka_replication,
            topics={name: _topic(partitions, configs.get(name, {})) for name, partitions in there.items()},
        )


async def _settings_of(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str | None]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for response in await admin.describe_configs(asked)
        for code, _text, _kind, name, entries in response.resources
        if not code
    }


def _topic(partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str | None]) -> TopicSeen:
    return TopicSeen(
        partitions=len(partitions),
        replicas=min((len(one["replicas"]) for one in partitions), default=0),
        behind=sum(len(one["isr"]) < len(one["replicas"]) for one in partitions),
        leaderless=sum(one["leader"] < 0 for one in partitions),
        settings=settings,
    )
