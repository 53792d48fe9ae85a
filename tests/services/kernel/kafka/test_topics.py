"""Topics: made, told of, refused."""

import uuid

import pytest

from schemas.topics import Topic
from services.kernel import Settings, Stop
from services.kernel.kafka.topics import absent, ensure_topics
from tests.topics import delete_topics


@pytest.fixture
def settings(kafka: str) -> Settings:
    return Settings(kafka_bootstrap_servers=kafka)


async def test_topics_just_made_are_there_for_whoever_starts_next(settings: Settings) -> None:
    """A broker needs the longer to know them, the more they are."""
    wanted = [Topic(f"new.{uuid.uuid4().hex}", 1, 16) for _ in range(32)]
    names = sorted(topic.name for topic in wanted)
    assert await absent(settings, wanted) == names
    assert sorted(await ensure_topics(settings, wanted)) == names
    assert await absent(settings, wanted) == []
    await delete_topics(settings, wanted)


@pytest.mark.parametrize("act", [ensure_topics, absent])
async def test_a_topic_that_kafka_refuses_is_told_with_its_code(act: object, settings: Settings) -> None:
    assert callable(act)
    with pytest.raises(Stop, match=r"Kafka refuses topic no good: .*\(error code 17\)"):
        await act(settings, [Topic("no good", 1, 4)])
