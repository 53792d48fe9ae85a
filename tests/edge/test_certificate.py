"""A certificate issued and renewed for the real nginx by the scripts of its containers, from a real ACME server."""

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from local.stack.machine.ports import HOST, free_ports, listens
from tests.clients.clients import Absent, tool
from tests.edge.pebble import Authority, pebble
from tests.edge.real_nginx import NGINX, variables
from tests.eventually import eventually

_NAME = "shop.example"


@asynccontextmanager
async def started(folder: Path, ports: tuple[int, int, int]) -> AsyncIterator[None]:
    """nginx as its container starts it, with the folder of certbot's certificates."""
    tool("nginx", "nginx-light", also_in="/usr/sbin")
    file = str(folder / "nginx.conf")
    told = variables(
        folder, ports, PUBLIC_NAME=_NAME, INGRESS=f"{HOST}:1", CERTIFICATES=str(folder / "letsencrypt/live/wootstream"),
        MAIN=file, RENDERED=file, LOOK_SECONDS="0.2",
    )  # fmt: skip
    with (folder / "start.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(str(NGINX / "start"), env=told, stdout=log, stderr=log)
    try:
        await eventually(lambda: listens(ports[0]))
        yield
    finally:
        process.terminate()
        await process.wait()
        await eventually(lambda: _gone(ports[0]))


async def _gone(port: int) -> bool:
    return not await listens(port)


async def certbot(folder: Path, authority: Authority, **more: str) -> None:
    """One turn of the certbot container's command."""
    told = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PUBLIC_NAME": _NAME, "ONCE": "1",
        "ACME_SERVER": authority.url, "REQUESTS_CA_BUNDLE": str(authority.ca), "CONFIG": str(folder / "letsencrypt"),
        "WORK": str(folder / "work"), "LOGS": str(folder / "logs"), "CHALLENGES": str(folder / "challenges"), **more,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(NGINX / "certbot"), env=told, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def shown(port: int) -> x509.Certificate:
    """The certificate that the world sees."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(HOST, port, ssl=looking, server_hostname=_NAME)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    writer.transport.abort()
    return x509.load_der_x509_certificate(found)


async def test_certificate_is_issued_and_renewed_and_nginx_shows_each(tmp_path: Path) -> None:
    https, http, status = free_ports(3)
    (tmp_path / "acme").mkdir()
    try:
        async with started(tmp_path, (https, http, status)), pebble(tmp_path / "acme", http) as authority:
            assert "placeholder" in (await shown(https)).subject.rfc4514_string()

            await certbot(tmp_path, authority)
            first = await eventually(lambda: _issued(https))

            await certbot(tmp_path, authority, FORCE="--force-renewal --no-random-sleep-on-renew")
            await eventually(lambda: _issued(https, after=first))
    except Absent as absent:
        pytest.skip(str(absent))

    assert first
    assert "Pebble" in first.issuer.rfc4514_string()
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [_NAME]


async def _issued(port: int, after: x509.Certificate | None = None) -> x509.Certificate | None:
    """What is shown, once it is of the authority and another one: a worker from before the reload may answer yet."""
    found = await shown(port)
    return found if "Pebble" in found.issuer.rfc4514_string() and found != after else None
