"""The page of attributes is what the code reckons."""

from schemas.attributes import PUSHED
from schemas.chatwoot.attributes import SPECIFIED
from services.contacts.attributes import DERIVED
from services.contacts.attributes_page import PATH, page


def test_the_page_is_written_from_the_code() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "write it anew with: python -m services.contacts.attributes_page"


def test_every_attribute_that_is_pushed_is_derived_and_shown_by_a_type() -> None:
    assert PUSHED == DERIVED.keys() <= {one.key for one in SPECIFIED}
