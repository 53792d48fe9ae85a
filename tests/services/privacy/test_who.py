"""One name finds all names of a person, and never those that are somebody else's."""

from datetime import UTC, datetime

import pytest

from services.kernel import Refusal
from services.kernel.forgetting.subjects import Subject
from services.privacy.who import meant
from tests.services.privacy.conftest import KnownShop

_NOW = datetime.now(UTC)


@pytest.mark.parametrize("asked", ["c1", "customer:c1", "Anna@x.example", "+31 6 1234", "contact:17", "session:s1"])
async def test_any_of_their_names_finds_the_same_person(shop: KnownShop, asked: str) -> None:
    await shop.customer("c1", email="anna@x.example", phone="+31-61234")
    await shop.contact(17, customer_id="c1", email="Anna@x.example")
    await shop.put("wootstream.visits", customer_id="c1", session_id="s1", first_at=_NOW, last_at=_NOW)
    await shop.put("wootstream.conversations", conversation_id=5, contact_id=17)
    await shop.customer("c2", email="ben@x.example")
    found = await shop.find(asked)
    assert found.subjects == {
        Subject("customer", "c1"), Subject("email", "anna@x.example"), Subject("phone", "+3161234"),
        Subject("contact", "17"), Subject("session", "s1"), Subject("conversation", "5"),
    }  # fmt: skip
    assert not found.shared


async def test_an_address_and_a_device_that_two_share_are_neithers_own(shop: KnownShop) -> None:
    for name in ("c1", "c2"):
        await shop.customer(name, email="family@x.example", phone="+3112345")
        await shop.put("wootstream.visits", customer_id=name, session_id="tablet", first_at=_NOW, last_at=_NOW)
    await shop.contact(17, email="family@x.example")
    found = await shop.find("customer:c1")
    assert found.subjects == {Subject("customer", "c1")}
    assert found.shared == {
        Subject("email", "family@x.example"), Subject("phone", "+3112345"), Subject("session", "tablet"),
    }  # fmt: skip


async def test_asked_by_an_address_everybody_who_bears_it_is_meant(shop: KnownShop) -> None:
    for name in ("c1", "c2"):
        await shop.customer(name, email="family@x.example")
    await shop.contact(17, email="family@x.example")
    found = await shop.find("family@x.example")
    assert {*found.customers, *found.contact_ids, *found.emails} == {"c1", "c2", 17, "family@x.example"}


@pytest.mark.parametrize("asked", ["customer:c1", "contact:17"])
async def test_a_guest_is_the_customer_who_alone_has_their_address(shop: KnownShop, asked: str) -> None:
    await shop.customer("c1", email="guest@x.example")
    await shop.contact(17, email="guest@x.example")
    found = await shop.find(asked)
    assert {*found.customers, *found.contact_ids, *found.emails} == {"c1", 17, "guest@x.example"}


async def test_who_is_in_no_table_is_who_was_asked_for(shop: KnownShop) -> None:
    """Topics, letters and spools may hold them all the same."""
    assert (await shop.find("nobody@x.example")).subjects == {Subject("email", "nobody@x.example")}
    assert (await shop.find("contact:99")).subjects == {Subject("contact", "99")}


@pytest.mark.parametrize("text", ["", "email: ", "contact:x", "contact:0", "contact:99999999999", "customer:\0"])
def test_what_names_nobody_is_refused_with_what_can_be_said(text: str) -> None:
    with pytest.raises(Refusal):
        meant(text)
