"""Kafka as our topics find it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.admin import ApiVersionRequest

from schemas.topics import Topic
from services.control.doctor.kafka_clock import kafka_now
from services.control.doctor.seen import KafkaSeen, TopicSeen
from services.kernel.clock import Clock
from services.kernel.kafka.topics import Admin
from services.kernel.settings import Settings

_FETCH, _OLDEST_FETCH_SINCE_4 = 1, 4


async def look(settings: Settings, wanted: Sequence[Topic], clock: Clock) -> KafkaSeen:
    """The brokers, and each topic that there is. Raises what the client raises."""
    names = sorted(topic.name for topic in wanted)
    async with Admin(settings) as admin:
        cluster, described = await asyncio.gather(admin.describe_cluster(), admin.describe_topics(names))
        there = {one["topic"]: one["partitions"] for one in described if not one["error_code"]}
        configs = await _settings_of(admin, sorted(there))
        asked = clock.now()
        kafkas = await kafka_now(admin)
        middle = asked + (clock.now() - asked) / 2
        return KafkaSeen(
            servers=[one.strip() for one in (settings.kafka_bootstrap_servers or "").split(",")],
            security=settings.kafka_security,
            brokers=len(cluster["brokers"]),
            since_4=await _since_4(admin),
            replication=settings.kafka_replication,
            topics={name: _topic(partitions, configs.get(name, {})) for name, partitions in there.items()},
            ahead_seconds=(middle - kafkas).total_seconds() if kafkas else None,
            topic_bytes=settings.kafka_topic_bytes,
        )


async def _since_4(admin: Any) -> bool:
    """A broker does not tell its release, but which versions of each request it takes: Kafka 4.0 dropped the oldest
    fetches (KIP-896). aiokafka 0.14 asks for them at each connection and has no public way to say so."""
    answer = await admin._send_request(ApiVersionRequest())
    oldest = {key: least for key, least, _most in answer.api_versions}
    return int(oldest[_FETCH]) >= _OLDEST_FETCH_SINCE_4


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
