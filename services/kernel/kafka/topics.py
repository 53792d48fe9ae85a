"""The topics on the cluster: made, and looked for before a start, for with an absent one start and publish hang."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import topics
from schemas.topics import Topic
from services.kernel.errors import Stop
from services.kernel.kafka import client
from services.kernel.settings import Settings

# Error codes of Kafka's protocol.
_UNKNOWN = 3
_NO_LEADER_YET = 5
_ALREADY_EXISTS = 36
_DEADLINE_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.05


class Admin:
    """Kafka's admin client for the length of a `with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = client.admin(settings, request_timeout_ms=10_000)

    async def __aenter__(self) -> Any:
        await client.started(self._client, self._settings)
        return self._client

    async def __aexit__(self, *_exception: object) -> None:
        await self._client.close()


def overrides_of(topic: Topic, settings: Settings) -> dict[str, str]:
    """What this installation wants of a topic."""
    insync = max(1, settings.kafka_replication - 1)
    return topic.overrides(min_insync_replicas=insync, most_bytes=settings.kafka_topic_bytes)


async def ensure_topics(settings: Settings, wanted: Sequence[Topic] = topics.ALL) -> list[str]:
    """Make the topics that are absent and set every override of the others; return the names of the new ones.

    A broker tells of a new topic a moment after it was made: until then whoever starts would be told that it is absent.
    """
    replication = settings.kafka_replication
    overrides = {topic.name: overrides_of(topic, settings) for topic in wanted}
    async with asyncio.timeout(_DEADLINE_SECONDS), Admin(settings) as admin:
        made = await admin.create_topics(
            [NewTopic(one.name, one.partitions, replication, topic_configs=overrides[one.name]) for one in wanted]
        )
        new = [answer[0] for answer in made.topic_errors if not _refused(answer, allowed={_ALREADY_EXISTS})]
        # alter_configs replaces every override of a topic, so the full set is sent.
        changes = [
            ConfigResource(ConfigResourceType.TOPIC, name, values)
            for name, values in overrides.items()
            if name not in new
        ]
        for response in await admin.alter_configs(changes) if changes else []:
            for code, text, _kind, name in response.resources:
                _refused((name, code, text))
        while len(await partitions_of(admin, new)) < len(new):
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return new


def _refused(answer: Sequence[Any], *, allowed: Collection[int] = ()) -> bool:
    """The admin client never raises for a topic's error: the code is in the response."""
    name, code, *text = answer
    if code and code not in allowed:
        raise Stop(f"Kafka refuses topic {name}: {text[0] if text else ''} (error code {code})")
    return bool(code)


async def partitions_of(admin: Any, names: Collection[str]) -> dict[str, list[int]]:
    """The partitions of those of the topics that Kafka has. Raises Stop where it refuses to tell."""
    described = await admin.describe_topics(sorted(names)) if names else []  # of no names it would describe all
    return {
        one["topic"]: sorted(part["partition"] for part in one["partitions"])
        for one in described
        if not _refused((one["topic"], one["error_code"]), allowed={_UNKNOWN, _NO_LEADER_YET})
    }


async def absent(settings: Settings, wanted: Sequence[Topic]) -> list[str]:
    """Names of the topics that Kafka does not have."""
    names = {topic.name for topic in wanted}
    async with asyncio.timeout(_DEADLINE_SECONDS), Admin(settings) as admin:
        return sorted(names - (await partitions_of(admin, names)).keys())


async def cluster_id(settings: Settings) -> str:
    """Which cluster this is; another one's offsets mean nothing to the ledger."""
    async with asyncio.timeout(_DEADLINE_SECONDS), Admin(settings) as admin:
        return str((await admin.describe_cluster())["cluster_id"])
