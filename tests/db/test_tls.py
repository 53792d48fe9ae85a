"""PostgreSQL that speaks TLS alone, with an authority of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from db.pool import SERVICE, open_pool
from local.stack.machine.ports import HOST, free_ports, listens
from local.stack.servers import tls
from local.stack.servers.tls import Tls
from local.stack.servers.tls_front import serve
from services.kernel.errors import describe
from tests.eventually import eventually


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture
async def address(database_url: str, certificates: Tls) -> AsyncIterator[str]:
    """Ours, with TLS demanded; without a query."""
    there, (port,) = urlsplit(database_url), free_ports(1)
    front = asyncio.create_task(serve(port, there.port or 5432, str(certificates.server)))
    await eventually(lambda: listens(port))
    login = there.netloc.rpartition("@")[0]
    yield there._replace(netloc=f"{login}@{HOST}:{port}").geturl()
    front.cancel()
    await asyncio.gather(front, return_exceptions=True)


async def _asked(url: str) -> object:
    pool = open_pool(url, SERVICE, size=1)
    try:
        async with pool.acquire(timeout=10) as conn:
            return await conn.fetchval("select current_user")
    finally:
        await pool.close()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_who_demands_tls_gets_in(address: str, certificates: Tls, mode: str) -> None:
    assert await _asked(f"{address}?sslmode={mode}&sslrootcert={certificates.ca}") == SERVICE


async def test_tls_is_taken_where_nobody_asked_for_it_and_refused_where_it_is_switched_off(address: str) -> None:
    assert await _asked(address) == SERVICE
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await _asked(f"{address}?sslmode=disable")


async def test_certificate_of_another_authority_or_name_is_not_accepted(
    address: str, certificates: Tls, tmp_path: Path
) -> None:
    other = tls.make(tmp_path).ca
    for url in (
        f"{address}?sslmode=verify-full&sslrootcert={other}",
        f"{address}?sslmode=verify-full&sslrootcert=system",
        f"{address.replace(HOST, 'localhost')}?sslmode=verify-full&sslrootcert={certificates.ca}",
    ):
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            await _asked(url)
        assert "certificate is not accepted" in describe(refused.value)
