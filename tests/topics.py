"""What tests do to topics as a whole."""

from collections.abc import Iterable

from schemas.topics import Topic
from services.kernel import Settings
from services.kernel.kafka.topics import Admin, absent, ensure_topics
from tests.eventually import eventually


async def delete_topics(settings: Settings, topics: Iterable[Topic]) -> None:
    """Those that are absent are no fault."""
    async with Admin(settings) as admin:
        await admin.delete_topics([topic.name for topic in topics])


async def make_again(settings: Settings, topic: Topic) -> None:
    """Delete the topic and make another of the same name."""
    await delete_topics(settings, [topic])

    async def gone() -> bool:
        return await absent(settings, [topic]) == [topic.name]

    await eventually(gone)
    await ensure_topics(settings, [topic])
