"""HTTP clients as packages bring them: how each is started, and which Debian package brings what it needs."""

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path

from platformdirs import user_cache_path

_PROGRAMS = Path(__file__).parent / "programs"
_AXIOS = "1.21.1"
_GUZZLE = Path("/usr/share/php/GuzzleHttp/autoload.php")
_JDK = "default-jdk-headless"
Command = list[str]


class Absent(Exception):
    """It cannot be run here; the text names what is missing."""


async def run(*command: str) -> str:
    """What it prints. Raises AssertionError with what it complains of."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()


def tool(name: str, package: str, also_in: str = "") -> str:
    """Where this program is. Raises Absent."""
    if not (found := shutil.which(name) or shutil.which(name, path=also_in)):
        raise Absent(f"no {name} (Debian: {package})")
    return found


async def _curl(_folder: Path) -> Command:
    tool("curl", "curl")
    return [tool("sh", "dash"), str(_PROGRAMS / "post.sh")]


async def _java(folder: Path) -> Command:
    lean = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    await run(tool("javac", _JDK), *(f"-J{one}" for one in lean), "-d", str(folder), str(_PROGRAMS / "Post.java"))
    return [tool("java", _JDK), *lean, "-cp", str(folder), "Post"]


async def _go(folder: Path) -> Command:
    program = str(folder / "post")
    # Without cgo: it needs a C compiler, and half a minute. Go compiles its own library anew for each user: without
    # HTTP/2 and without optimizing, that takes three quarters of 20 CPU seconds.
    lean = ("-tags", "nethttpomithttp2", "-gcflags", "all=-N -l", "-ldflags", "-s -w")
    go = ("env", "CGO_ENABLED=0", tool("go", "golang-go"), "build")
    await run(*go, *lean, "-o", program, str(_PROGRAMS / "post.go"))
    return [program]


async def _node(_folder: Path) -> Command:
    return [tool("node", "nodejs"), str(_PROGRAMS / "post.cjs")]


async def _axios(folder: Path) -> Command:
    """From npm, once for this user."""
    npm, home = tool("npm", "npm"), user_cache_path("wootstream") / f"axios-{_AXIOS}"
    module = home / "node_modules" / "axios"
    if not module.exists():
        try:
            quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
            await run(npm, "install", *quiet, "--prefix", str(home), f"axios@{_AXIOS}")
        except AssertionError as error:
            raise Absent(f"npm brings no axios {_AXIOS}: {error}") from error
    return [*await _node(folder), str(module)]


async def _ruby(_folder: Path) -> Command:
    return [tool("ruby", "ruby"), str(_PROGRAMS / "post.rb")]


async def _guzzle(_folder: Path) -> Command:
    if not _GUZZLE.exists():
        raise Absent("no Guzzle (Debian: php-guzzlehttp-guzzle)")
    return [tool("php", "php-cli"), str(_PROGRAMS / "post.php")]


async def _python(_folder: Path) -> Command:
    return [sys.executable, str(_PROGRAMS / "post.py")]


# By name, how it is made ready, once, in a folder of its own, and with which words the command goes on before the
# files with requests.
CLIENTS: dict[str, tuple[Callable[[Path], Awaitable[Command]], Command]] = {
    "curl": (_curl, []),
    "Java HttpClient": (_java, ["default"]),
    "Java HttpClient, HTTP_1_1": (_java, ["HTTP_1_1"]),
    "Go net/http": (_go, []),
    "Node fetch": (_node, ["fetch"]),
    "axios": (_axios, []),
    "Ruby Net::HTTP": (_ruby, []),
    "PHP Guzzle": (_guzzle, []),
    "Python requests": (_python, ["requests"]),
    "Python httpx": (_python, ["httpx"]),
}
