"""What an operator says of a store is refused where it could only be of no use."""

import re

import pytest
from pydantic import ValidationError

from schemas.stores import StoreOptions
from schemas.stores_file import StoreEntry
from services.ingress.origins import allowed_origins


@pytest.mark.parametrize(
    "host",
    [
        "shop.example", "Shop.example", "www.shop.example:8443", "localhost:9200", "http://localhost:9200/",
        "127.0.0.1", "https://shop.example/", "[::1]:8080", "xn--mnchen-3ya.example", "my_shop.example", "capacitor://localhost",
    ],
)  # fmt: skip
def test_a_host_is_taken_as_it_is_written_and_allows_an_origin_that_browsers_send(host: str) -> None:
    for store in (StoreOptions(slug="nl", domains=(host,)), StoreEntry(domains=(host,), domain="shop.example")):
        assert store.domains == (host,)
    assert all(re.fullmatch(r"[a-z]+://[a-z0-9._\[\]:-]+", one) for one in allowed_origins([host]))


@pytest.mark.parametrize(
    "host",
    [
        "shop.example/nl", "https://shop.example/nl/", "*.shop.example", "m\u00fcnchen.example", "shop.example?x",
        "shop:0", "shop.example:65536", "shop.example:", "shop.example, www.shop.example", "user@shop.example",
        "https://", " shop", "shop.example#a", ".shop.example", "shop.example.",
    ],
)  # fmt: skip
def test_a_domain_that_no_page_could_have_as_its_origin_is_refused_with_what_it_looks_like(host: str) -> None:
    """Kept, each of its pages would be told that it is none of the store's."""
    with pytest.raises(ValidationError, match=r"is no host of pages: it looks like www\.shop\.example"):
        StoreOptions(slug="nl", domains=(host,))
    with pytest.raises(ValidationError, match=r"is no host of pages: it looks like www\.shop\.example"):
        StoreEntry(domains=(host,), domain="shop.example")


def test_a_website_whose_host_no_page_could_have_is_refused_for_it_is_the_stores_domain() -> None:
    assert StoreEntry(website_url="https://shop.example/nl/?a=b").website_url == "https://shop.example/nl/?a=b"
    with pytest.raises(ValidationError, match="is no host of pages"):
        StoreEntry(website_url="https://m\u00fcnchen.example/nl")
