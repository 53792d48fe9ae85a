"""Whence a request came, as proxies write it, and what is kept of it."""

import pytest

from services.kernel.web.addresses import UNKNOWN, client_address, client_of


@pytest.mark.parametrize(
    ("text", "address", "kept"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0"),
        ("203.0.113.77:51234", "203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1::"),
        ("[2001:DB8:1:2:3::4]", "2001:db8:1:2:3::4", "2001:db8:1::"),
        ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0"),
        ("[::ffff:203.0.113.77]:80", "203.0.113.77", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::1", "fe80::"),
        ("[fe80::1%25eth0]:80", "fe80::1", "fe80::"),
        ("::1", "::1", "::"),
    ],
)
def test_an_address_is_read_as_proxies_write_it_and_cut_to_its_network(text: str, address: str, kept: str) -> None:
    assert client_address(text) == (address, kept)


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "_hidden", "unix:", "203.0.113.77:", "203.0.113.77:port", "203.0.113.77:80:90", "203.0.113.256",
     "203.0.113", "0203.0.113.7", "203.0.113.77/32", "203.0.113.77%eth0", "[203.0.113.77]:80x", "[2001:db8::1",
     "2001:db8::1]:80", "[2001:db8::1]443", "2001:db8:::1", ":", "jan@shop.example", "\u0662.0.113.77",
     "203.0.113.77\n", "f" * 70_000],
)  # fmt: skip
def test_what_is_no_address_is_nobodys(text: str) -> None:
    assert client_address(text) == UNKNOWN


@pytest.mark.parametrize(
    ("hops", "forwarded", "seen"),
    [
        (0, [b"6.6.6.6"], "10.0.0.1"),
        (1, [b"6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        (1, [b"6.6.6.6", b"203.0.113.7:4711"], "203.0.113.7"),
        (2, [b"6.6.6.6, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        (2, [b"6.6.6.6", b" ,203.0.113.7 ,", b",", b"10.0.0.9, "], "203.0.113.7"),
        (2, [b"203.0.113.7"], "10.0.0.1"),
        (1, [b""], "10.0.0.1"),
        (1, [], "10.0.0.1"),
        (1, [b"203.0.113.7, \xff"], ""),
    ],
)
def test_a_visitors_address_is_what_our_own_proxies_saw(hops: int, forwarded: list[bytes], seen: str) -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", one) for one in forwarded]}

    assert client_of(scope, hops).address == seen
