"""Every attribute that is ever pushed has a definition in Chatwoot, or no agent sees it."""

from schemas.chatwoot.attributes import SPECIFIED
from services.contacts.attributes import ALL, PRIORITY_BY_TIER


def test_what_contacts_push_is_defined() -> None:
    assert {one.key for one in SPECIFIED} >= ALL


def test_lists_name_the_values_that_are_pushed() -> None:
    values = {one.key: set(one.values) for one in SPECIFIED}
    assert values["customer_tier"] == set(PRIORITY_BY_TIER)
    assert values["support_priority"] == set(PRIORITY_BY_TIER.values())
