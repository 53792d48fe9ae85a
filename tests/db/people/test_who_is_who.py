"""One rule says which contact is which customer, and whoever asks hears the same."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from db.people import pushes, visits
from db.pool import Pool, scoped
from db.reporting import conversations
from tests.services.attached import ACCOUNT_ID, attach

_CONTACT, _CONVERSATION = 7, 70
_PERSON = {"email": "Jan@shop.example", "phone": "+31201234567"}


async def add(admin: Pool, table: str, store: uuid.UUID, **columns: Any) -> None:
    columns = {"organization_id": store} | columns
    holes = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    async with admin.acquire() as conn:
        await conn.execute(f"insert into {table} ({', '.join(columns)}) values ({holes})", *columns.values())  # noqa: S608


async def known(admin: Pool, contact: Mapping[str, Any]) -> uuid.UUID:
    """A store with the customer c1 and a contact in the middle of a conversation."""
    store = await attach(admin)
    of = {"chatwoot_account_id": ACCOUNT_ID, "chatwoot_contact_id": _CONTACT}
    await add(admin, "wootstream.customers", store, customer_id="c1", customer_tier="Gold", order_count=3, **_PERSON)
    await add(admin, "public.chatwoot_contacts", store, **of, **contact)
    await add(
        admin, "public.chatwoot_conversations", store, chatwoot_conversation_id=_CONVERSATION, status="open", **of
    )
    return store


@pytest.mark.parametrize(
    ("contact", "same"),
    [
        ({"customer_id": "c1"}, True),
        ({"customer_id": "c1", "email": "other@shop.example"}, True),
        ({"email": "jan@SHOP.example"}, True),
        ({"phone": _PERSON["phone"]}, True),
        ({"phone": "+31 20 123-4567"}, True),
        ({"phone": "+31201234568"}, False),
        ({"customer_id": "c2", "email": _PERSON["email"]}, False),
        ({"email": "piet@shop.example"}, False),
    ],
    ids=[
        "by id",
        "by id before e-mail",
        "by e-mail",
        "by phone",
        "by a phone written otherwise",
        "another phone",
        "another id wins over e-mail",
        "a stranger",
    ],
)
async def test_whoever_asks_finds_the_same_person_behind_a_contact_and_the_other_way_round(
    contact: dict[str, Any], *, same: bool, pool: Pool, admin_pool: Pool
) -> None:
    store = await known(admin_pool, contact)

    async with scoped(pool, {store}) as conn:
        (pushed,) = await pushes.people(conn, [(store, ACCOUNT_ID, _CONTACT)])
        (found,) = await pushes.contacts_of(conn, [(store, "c1")])
        figures = await conversations.customers(conn, [(store, _CONVERSATION, _CONTACT)])
        talking = await visits.talking(conn, [(store, "c1")])

    assert pushed["customer_id"] == ("c1" if same else None)
    assert found["chatwoot_contact_id"] == (_CONTACT if same else None)
    assert [row["customer_tier"] for row in figures] == ["Gold"] * same
    assert talking == [(store, "c1")] * same


async def test_the_planner_puts_the_rule_into_the_statement_that_asks(pool: Pool, admin_pool: Pool) -> None:
    """Called row by row it would plan nothing with the indexes of many."""
    store = await known(admin_pool, {"customer_id": "c1"})
    async with scoped(pool, {store}) as conn:
        for function, table in (
            ("contact_for", "wootstream.customers"),
            ("customer_for", "public.chatwoot_contacts"),
        ):
            plan = await conn.fetch(
                f"explain select * from {table} k"  # noqa: S608
                f" cross join lateral wootstream.{function}(k.organization_id, k.customer_id, k.email_key, k.phone_key)"
            )
            assert "Function Scan" not in "\n".join(row["QUERY PLAN"] for row in plan)
