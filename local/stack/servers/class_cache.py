"""What Java made of Kafka's classes in one whole life of a node, kept beside the jars.

The Java runtime of the wheel comes without the archive of classes that others have. With this one a node starts with
1.9 CPU seconds instead of 3.8: it is worth its 15 where many nodes start, as in the tests. Java looks whether it fits
the jars and the runtime, and does without it where it does not.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from local.stack.machine.locks import locked
from local.stack.packages import jars
from local.stack.servers import kafka

_MAKE_SECONDS = 300.0


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
    try:
        await kafka.start(directory, class_path=class_path, options=options)
    finally:
        await kafka.server(directory).end(seconds=_MAKE_SECONDS)
