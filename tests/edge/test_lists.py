"""What is kept in one dated file reaches nginx and the firewall, and is fetched anew whole or not at all."""

import ipaddress
import os
import shutil
from pathlib import Path

import pytest

from tests.clients.clients import run
from tests.edge.real_nginx import NGINX

_FIREWALL = NGINX.parent / "firewall"


def networks(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def test_every_line_is_a_network_and_the_file_has_a_date() -> None:
    found = [ipaddress.ip_network(line) for line in networks(NGINX / "proxies.txt")]
    assert len(found) > 15
    assert all(one.num_addresses < 2**110 for one in found)
    assert "2026-" in (NGINX / "proxies.txt").read_text().splitlines()[0]


async def test_nginx_and_the_firewall_get_the_same_networks() -> None:
    sets = await run(str(_FIREWALL / "render"))
    rendered = await run("env", "PUBLIC_NAME=shop.example", "PROXY=cloudflare", str(NGINX / "render"))
    for network in networks(NGINX / "proxies.txt"):
        assert network in sets
        assert f"set_real_ip_from {network};" in rendered
    without = await run("env", "PUBLIC_NAME=shop.example", str(NGINX / "render"))
    assert "set_real_ip_from" not in without
    assert "real_ip_header" not in without


async def test_firewall_holds_in_nftables_own_words(tmp_path: Path) -> None:
    if not (nft := shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin")) or os.getuid():
        pytest.skip("nft is missing (Debian: nftables), or this is not root")
    (tmp_path / "proxies.nft").write_text(await run(str(_FIREWALL / "render")))
    rules = (_FIREWALL / "wootstream.nft").read_text().replace("/etc/nftables.d", str(tmp_path))
    (tmp_path / "rules.nft").write_text(rules)
    try:
        await run("unshare", "--net", "true")
    except AssertionError:
        pytest.skip("no network of one's own can be made here")
    await run("unshare", "--net", nft, "-f", str(tmp_path / "rules.nft"))


async def test_a_list_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    script = str(shutil.copy(NGINX / "refresh-proxies", tmp_path))
    file, lists = tmp_path / "proxies.txt", [tmp_path / "v4", tmp_path / "v6"]
    file.write_text("# old\n192.0.2.0/24\n")
    lists[0].write_text("".join(f"10.{number}.0.0/16\n" for number in range(9)))
    lists[1].write_text("2001:db8::/32")

    await run(script, *(one.as_uri() for one in lists))
    assert networks(file) == [*(f"10.{number}.0.0/16" for number in range(9)), "2001:db8::/32"]

    lists[1].write_text("<html>blocked</html>\n")
    with pytest.raises(AssertionError, match="no list of networks"):
        await run(script, *(one.as_uri() for one in lists))
    assert "blocked" not in file.read_text()
    assert len(networks(file)) == 10
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".proxies")] == []
