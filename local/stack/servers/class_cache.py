"""What Java made of Kafka's classes in one whole life of a node, kept beside the jars.

The Java runtime of the wheel comes without the archive of classes that others have. With this one a node starts with
1.4 CPU seconds instead of 3.8, and with a fifth to a third less to do in its first minute: it is worth its 15 where
many nodes start, as in the tests. Java looks whether it fits the jars and the runtime, and does without it where it
does not.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from aiokafka import TopicPartition

from local.stack.machine.locks import locked
from local.stack.packages import jars
from local.stack.servers import kafka, tls
from schemas.topics import Topic
from services.kernel.kafka import client
from services.kernel.kafka.topics import Admin, ensure_topics
from services.kernel.settings import Settings

_MAKE_SECONDS = 300.0
_TOPIC = Topic("everything", kept_days=1, partitions=1)
_GROUP = "everybody"


async def make() -> None:
    """Make it unless it is there: a node of its own lives for a moment, and Java writes it down at the end."""
    folder = jars.cache()
    class_path = await jars.class_path(folder, progress=lambda *_: None)
    async with locked(folder / "classes.lock", seconds=_MAKE_SECONDS, otherwise="another start still reads Kafka"):
        if not (kept := kafka.class_cache()).exists():
            with tempfile.TemporaryDirectory(dir=folder) as aside:
                made = Path(aside) / kept.name
                await _live_and_write(Path(aside), class_path, (f"-XX:AOTCacheOutput={made}",))
                if made.exists():
                    made.replace(kept)


async def _live_and_write(directory: Path, class_path: str, options: Sequence[str]) -> None:
    tls.make(directory)  # what speaks TLS reads nearly all that one in clear does, and more
    try:
        address = await kafka.start(directory, class_path=class_path, options=options)
        await _do_everything(Settings.model_validate({"kafka_bootstrap_servers": address, **kafka.security(directory)}))
    finally:
        await kafka.server(directory).end(seconds=_MAKE_SECONDS)


async def _do_everything(settings: Settings) -> None:
    """What clients of the tests ask of a node: it reads a class when somebody needs it first."""
    place = TopicPartition(_TOPIC.name, 0)
    await ensure_topics(settings, [_TOPIC])
    producer = client.producer(settings, compression_type="zstd", enable_idempotence=True)
    consumer = client.consumer(settings, group_id=_GROUP, auto_offset_reset="earliest", enable_auto_commit=False)
    async with producer, consumer, Admin(settings) as admin:
        await producer.send_and_wait(_TOPIC.name, b"value", key=b"key", headers=[("name", b"value")])
        consumer.subscribe([_TOPIC.name])
        await consumer.getone()
        await consumer.commit()
        await consumer.offsets_for_times({place: 0})
        await consumer.end_offsets([place])
        await admin.list_consumer_group_offsets(_GROUP)
        await admin.delete_topics([_TOPIC.name])
