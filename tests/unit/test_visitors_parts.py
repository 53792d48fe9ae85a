"""What the doors keep of an address, whose origin they know, and how many events they take."""

import pytest

from services.ingress.origins import allowed_origins, network, without_query
from services.ingress.quotas import Quota
from services.ingress.requests import client_address
from services.kernel import Clock


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_cut_to_its_network(address: str, kept: str) -> None:
    assert network(address) == kept


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/a/b?email=x#y", "https://shop.example/a/b"),
        ("https://shop.example#?x", "https://shop.example"),
        ("http://user:password@shop.example:8080/?token=x", "http://shop.example:8080/"),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://user@", None),
        ("data://x", None),
    ],
)
def test_a_page_is_kept_without_what_may_be_personal(url: str, kept: str | None) -> None:
    assert without_query(url) == kept


def test_domains_are_https_alone_but_for_loopback_and_what_names_its_scheme() -> None:
    assert allowed_origins(["Shop.example", "http://old.example/", "localhost:9200", " "]) == {
        "https://shop.example", "http://old.example", "https://localhost:9200", "http://localhost:9200",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("hops", "forwarded", "seen"),
    [
        (0, b"6.6.6.6", "10.0.0.1"),
        (1, b"6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, b"6.6.6.6, 203.0.113.7, 10.0.0.9", "203.0.113.7"),
        (2, b"203.0.113.7", "10.0.0.1"),
        (1, b"", "10.0.0.1"),
    ],
)
def test_a_visitors_address_is_what_our_own_proxies_saw(hops: int, forwarded: bytes, seen: str) -> None:
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", forwarded)]}

    assert client_address(scope, hops) == seen


class Minutes(Clock):
    """A clock that a test sets."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_quota_is_each_names_own_and_begins_anew_with_the_minute() -> None:
    clock = Minutes()
    quota = Quota(clock, per_minute=10)

    first = [quota.take("a", 6), quota.take("a", 6), quota.take("a", 4), quota.take("b", 10)]
    clock.seconds = 60.0

    assert first == [True, False, True, True]
    assert quota.take("a", 10)
