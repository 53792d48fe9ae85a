"""`python -m local.stack.packages.fetch FOLDER`: resolve Kafka's jars and copy them there.

A process of its own, so that Ctrl-C ends a download at once and the resolver's logging stays out of ours.
"""

import shutil
import sys
from pathlib import Path

KAFKA = "org.apache.kafka:kafka_2.13:4.3.0"
# In one call with Kafka's it would drag kafka-clients down to 3.8.0, so it is resolved alone.
LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"


def fetch(folder: Path) -> None:
    """Copy every jar into the folder; each appears there whole or not at all."""
    import jgo

    for jar in sorted({jar for endpoint in (KAFKA, LOGGING) for jar in jgo.build(endpoint).all_jars}):
        part = folder / f"{jar.name}.part"
        shutil.copyfile(jar, part)
        part.replace(folder / jar.name)


if __name__ == "__main__":
    try:
        fetch(Path(sys.argv[1]))
    except Exception as error:  # the parent shows this line to a person
        sys.exit(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
