"""The peers' programs, built from the sources beside this file where `go` is at hand."""

import asyncio
import shutil
from pathlib import Path

_SOURCES = Path(__file__).parent


class NotBuilt(Exception):
    """A peer cannot be measured here; the text says why."""


async def built(name: str, folder: Path) -> Path:
    """The program of this name. Its modules come from Go's proxy, unless they came before. Raises NotBuilt."""
    go = shutil.which("go")
    if go is None:
        raise NotBuilt("there is no `go` on this machine")
    program = folder / name
    building = await asyncio.create_subprocess_exec(
        *(go, "build", "-trimpath", "-o", str(program), "."),
        cwd=_SOURCES / name,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await building.communicate()
    if building.returncode:
        raise NotBuilt(f"go build says: {complaint.decode(errors='replace').strip()[-500:]}")
    return program
