"""The real nginx with the configuration that `deploy/nginx/render` prints, on free ports."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from local.stack.machine.ports import HOST, free_ports, listens
from tests.clients.clients import run, tool
from tests.eventually import PATIENCE_SECONDS, eventually

NGINX = Path(__file__).parents[2] / "deploy/nginx"
NAME = "localhost"  # a name, so that it is asked for in the handshake, and this machine's


@dataclass(frozen=True)
class Edge:
    """Where it listens, and how its certificate is checked."""

    folder: Path
    port: int
    plain_port: int
    status_port: int
    pid: int

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "tls/fullchain.pem"))

    def client(self, *, source: str | None = None, context: ssl.SSLContext | None = None) -> httpx.AsyncClient:
        """Speaks to it from an address of this machine where one is named."""
        transport = httpx.AsyncHTTPTransport(verify=context or self.context(), local_address=source)
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=PATIENCE_SECONDS)

    def reload(self) -> None:
        """As `nginx -s reload` does."""
        os.kill(self.pid, signal.SIGHUP)

    async def handshake(self, **asked: object) -> tuple[str | None, str | None]:
        """TLS version and protocol agreed on. Raises ssl.SSLError where it refuses."""
        context, name = self.context(), str(asked.get("name", NAME))
        context.check_hostname = name == NAME
        context.set_alpn_protocols(["h2", "http/1.1"])
        if isinstance(most := asked.get("most"), ssl.TLSVersion):
            context.maximum_version = most
        _, writer = await asyncio.open_connection(HOST, self.port, ssl=context, server_hostname=name)
        spoken = writer.get_extra_info("ssl_object")
        writer.close()
        writer.transport.abort()
        return spoken.version(), spoken.selected_alpn_protocol()


async def certificate(folder: Path, name: str = NAME) -> Path:
    """A certificate of this name that is its own authority, where nginx looks for one."""
    folder.mkdir(parents=True, exist_ok=True)
    await run(
        tool("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
        "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem"),
    )  # fmt: skip
    return folder


def variables(folder: Path, ports: tuple[int, int, int], **more: str) -> dict[str, str]:
    """What `render` is told: everything below `folder`, and `more`."""
    places = {name: folder / name.lower() for name in ("RUN", "STATE", "CHALLENGES")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    port, plain, status = (f"{HOST}:{one}" for one in ports)
    return {
        "PUBLIC_NAME": NAME, "HTTPS": port, "HTTP": plain, "STATUS": status, "CERTIFICATES": str(folder / "tls"),
        "ACCESS_LOG": str(folder / "access.log"), "ERROR_LOG": str(folder / "error.log"),
        "NGINX_USER": "root" if os.getuid() == 0 else "nobody",
        "PATH": f"{os.environ['PATH']}:/usr/sbin", **{name: str(place) for name, place in places.items()}, **more,
    }  # fmt: skip


async def rendered(folder: Path, told: dict[str, str]) -> Path:
    """nginx.conf, as `render` prints it."""
    process = await asyncio.create_subprocess_exec(str(NGINX / "render"), env=told, stdout=asyncio.subprocess.PIPE)
    text, _ = await process.communicate()
    assert process.returncode == 0
    file = folder / "nginx.conf"
    file.write_bytes(text)
    return file


@asynccontextmanager
async def edge(folder: Path, *ingresses: str, **more: str) -> AsyncIterator[Edge]:
    """It listens, before these host:port. Raises Absent."""
    program = tool("nginx", "nginx-light", also_in="/usr/sbin")
    await certificate(folder / "tls")
    ports = free_ports(3)
    assert len(ports) == 3
    told = variables(folder, (ports[0], ports[1], ports[2]), INGRESS=" ".join(ingresses), **more)
    file = await rendered(folder, told)
    process = await asyncio.create_subprocess_exec(program, "-e", str(folder / "error.log"), "-c", str(file))
    try:
        await eventually(lambda: _listens(process, ports[0], folder))
        yield Edge(folder, *ports, process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int, folder: Path) -> bool:
    assert process.returncode is None, (folder / "error.log").read_text()
    return await listens(port)
