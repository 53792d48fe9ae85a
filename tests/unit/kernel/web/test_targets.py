"""Where calls may go is judged by the address that a name leads to, in whatever clothes it comes."""

import ipaddress

import httpx
import pytest

from local.chatwoot.app import serving
from local.chatwoot.double import Double
from services.kernel import Refusal
from services.kernel.web.targets import CheckedTransport, check_target, is_public

_PRIVATE = (
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "::1", "fe80::1",
    "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1",
)  # fmt: skip


@pytest.mark.parametrize("address", _PRIVATE)
def test_an_address_of_a_private_network_is_none_of_the_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:93.184.215.14"])
def test_an_address_of_the_internet_may_be_called(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "http://2130706433"])
async def test_a_name_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(Refusal, match="is in a private network"):
        await check_target(url, private=False)


@pytest.mark.parametrize(
    "url", ["ftp://chatwoot.example", "https://user:word@chatwoot.example", "https://a.example/path"]
)
async def test_what_is_no_address_of_a_chatwoot_is_refused(url: str) -> None:
    with pytest.raises(Refusal, match="is no address of a Chatwoot"):
        await check_target(url, private=True)


async def test_the_connection_itself_goes_only_where_it_may() -> None:
    async with serving(Double()) as address:
        named = address.replace("127.0.0.1", "localhost")
        async with httpx.AsyncClient(transport=CheckedTransport(private=True)) as client:
            assert (await client.get(named + "/api")).json()["version"] == "4.13.0"
        async with httpx.AsyncClient(transport=CheckedTransport(private=False)) as client:
            with pytest.raises(httpx.ConnectError, match="private network"):
                await client.get(named + "/api")
