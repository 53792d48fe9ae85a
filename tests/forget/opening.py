"""What somebody reads who has the topics' bytes, and every key that is left."""

from collections.abc import Sequence

from db.pool import PRIVACY, scoped
from db.privacy import seals
from schemas import topics
from services.kernel import Invalid, Process, Record
from services.kernel.sealing.envelope import header_of, opened
from services.kernel.sealing.sealed_trees import opened_tree
from services.kernel.secrets import read_keys
from tests.forget.scene import Scene
from tests.services.ingress.bench import held


async def held_of(scene: Scene) -> list[Record]:
    """The store's records in all topics of the doors."""
    doors = (topics.WEBHOOKS, topics.SHOP_EVENTS, topics.WIDGET_EVENTS)
    return [one for topic in doors for one in await held(scene.settings, topic, scene.store)]


def shown(records: Sequence[Record], needles: Sequence[str]) -> int:
    """Hits in keys, values and headers as they lie there, in any case."""
    low = [needle.lower().encode() for needle in needles]
    texts = [b" ".join((one.key or b"", one.value, *(value for _, value in one.headers))).lower() for one in records]
    return sum(needle in text for needle in low for text in texts)


async def openable(scene: Scene, records: Sequence[Record]) -> int:
    """How many some key opens: reckoned from each tree that is left, any of its nodes, or the installation's own."""
    process = Process(scene.settings)
    try:
        async with scoped(process.pool(PRIVACY), {scene.store}) as conn:
            rows = await seals.of_store(conn, scene.store)
        trees = [opened_tree(scene.store, row, process.secrets) for row in rows]
    finally:
        await process.close()
    nodes = [node.secret for tree in trees for node in tree.tree.nodes]
    loose = [*read_keys(scene.settings), *nodes, *(node * len(header_of(records[0]).names or (0,)) for node in nodes)]
    found = 0
    for record in records:
        names = header_of(record).names
        reckoned = [keys for tree in trees if (keys := tree.of(names, record.received_at))]
        found += any(_opens(record, key) for key in (*reckoned, *loose))
    return found


def _opens(record: Record, key: bytes) -> bool:
    try:
        opened(record, key)
    except Invalid:
        return False
    return True
