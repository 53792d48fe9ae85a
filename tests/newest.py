"""Where a test joins topics that others fill too: at their present ends, whatever lies there already."""

from collections.abc import Mapping

from db.pool import Pool
from schemas.topics import Topic
from services.control.ledger.topic_logs import look
from services.kernel import Settings

_FORGET = "delete from wootstream.ledger where consumer_group = any ($1::text[])"
_BEGIN = """
insert into wootstream.ledger (consumer_group, topic, partition, cluster_id, first_offset, next_offset)
values ($1, $2, $3, $4, $5, $5)
"""


async def begin_at_the_end(settings: Settings, admin_pool: Pool, groups: Mapping[str, Topic]) -> None:
    """Let these groups, which do not run now, read only what comes from now on."""
    cluster = await look(settings, {topic.name for topic in groups.values()})
    rows = [
        (group, topic.name, partition, cluster.id, log.end)
        for group, topic in groups.items()
        for (name, partition), log in cluster.logs.items()
        if name == topic.name
    ]
    async with admin_pool.acquire() as conn, conn.transaction():
        await conn.execute(_FORGET, list(groups))
        for row in rows:
            await conn.execute(_BEGIN, *row)
