"""Let's Encrypt's own test server, with a DNS in which every name is this machine."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.stack.machine.ports import HOST, free_ports, listens
from local.stack.servers import tls
from tests.clients.clients import tool
from tests.eventually import eventually


@dataclass(frozen=True)
class Authority:
    """Where it takes orders, and who signed its own certificate."""

    url: str
    ca: Path


@asynccontextmanager
async def pebble(folder: Path, http_port: int) -> AsyncIterator[Authority]:
    """It proves names by asking this port of this machine. Raises Absent."""
    program, names = tool("pebble", "pebble"), tool("pebble-challtestsrv", "pebble")
    made = tls.make(folder)
    server = made.server.read_text()
    split = server.index("-----BEGIN CERTIFICATE")
    (folder / "key.pem").write_text(server[:split])
    (folder / "certificate.pem").write_text(server[split:])
    port, management, dns, names_management = free_ports(4)
    told = {
        "listenAddress": f"{HOST}:{port}", "managementListenAddress": f"{HOST}:{management}",
        "certificate": str(folder / "certificate.pem"), "privateKey": str(folder / "key.pem"),
        "httpPort": http_port, "tlsPort": http_port, "ocspResponderURL": "", "externalAccountBindingRequired": False,
    }  # fmt: skip
    (folder / "pebble.json").write_text(json.dumps({"pebble": told}))
    off = ("-http01", "", "-https01", "", "-tlsalpn01", "")
    async with AsyncExitStack() as stack:
        await _started(
            stack, folder / "names.log", names, "-defaultIPv4", HOST, "-defaultIPv6", "",
            "-dns01", f"{HOST}:{dns}", *off, "-management", f"{HOST}:{names_management}",
        )  # fmt: skip
        await _started(
            stack, folder / "pebble.log", program, "-config", str(folder / "pebble.json"), "-dnsserver", f"{HOST}:{dns}"
        )
        await eventually(lambda: listens(port))
        await eventually(lambda: listens(names_management))
        yield Authority(f"https://{HOST}:{port}/dir", made.ca)


async def _started(stack: AsyncExitStack, log: Path, *command: str) -> None:
    with log.open("wb") as file:
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        process = await asyncio.create_subprocess_exec(*command, stdout=file, stderr=file, env=environment)

    async def ended() -> None:
        process.terminate()
        await process.wait()

    stack.push_async_callback(ended)
