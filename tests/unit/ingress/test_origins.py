"""Which origins a store's domains allow, and what the doors keep of a page's address."""

import pytest

from services.ingress.origins import allowed_origins, without_query


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


def test_a_port_that_browsers_leave_out_is_left_out() -> None:
    assert allowed_origins(["a.example:443", "https://b.example:443/", "http://c.example:80", "d.example:80"]) == {
        "https://a.example", "https://b.example", "http://c.example", "https://d.example:80",
    }  # fmt: skip
