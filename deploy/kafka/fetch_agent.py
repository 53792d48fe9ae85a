"""`python3 fetch_agent.py FOLDER`: Prometheus' agent for Java into that folder, as agent.jar, if we know it."""

from __future__ import annotations  # Python 3.9, as older distributions have it

import hashlib
import sys
from pathlib import Path

_AGENT = "io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1"
_SHA256 = "7d61f737fd661610ccc14aea79764faa1ea94a340cbc8f0029b3d2edea3d80c1"


def fetch(folder: Path) -> Path:
    """The jar, which appears there whole or not at all. Raises ValueError where it is another, as its SHA-256 tells."""
    jar = folder / "agent.jar"
    if not jar.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = jar.with_suffix(".part")
        part.write_bytes(_resolved().read_bytes())
        part.replace(jar)
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if found != _SHA256:
        raise ValueError(f"{jar} is not the agent that we know (SHA-256 {found[:12]}…): delete it and start again")
    return jar


def _resolved() -> Path:
    import jgo

    (jar,) = jgo.build(_AGENT).all_jars
    return Path(jar)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
