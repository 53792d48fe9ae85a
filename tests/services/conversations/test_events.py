"""What a webhook becomes: nothing, a refusal that names no person, or the specification's row."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from db.pool import Pool, scoped
from services.conversations import events
from services.kernel import Invalid
from tests.services.conversations import bench
from tests.services.conversations.dialogues import dialogue


async def test_body_that_is_no_webhook_is_refused_without_its_values(pool: Pool) -> None:
    """The reason names the place of the fault; what stood there is personal data."""
    body = b'{"event": "message_created", "id": "jan@example.org", "conversation": {}}'
    with pytest.raises(Invalid, match=r"conversation\.created_at: missing") as refusal:
        events.read(bench.record(uuid.uuid4(), "message_created", body, received_at=datetime.now(UTC)))
    assert "jan" not in str(refusal.value)


@pytest.mark.parametrize("event", ["contact_updated", "webwidget_triggered", "conversation_typing_on", "something_new"])
async def test_events_about_others_are_nobodys_fact(event: str) -> None:
    """Told by the header alone: the body is not even looked at."""
    assert events.read(bench.record(uuid.uuid4(), event, b"{", received_at=datetime.now(UTC))) is None


async def test_conversation_remembers_the_customer_as_he_was_when_it_began(pool: Pool, admin_pool: Pool) -> None:
    """An order that comes later changes the customer, not the conversation."""
    organization = uuid.uuid4()
    first, second = dialogue(organization, conversation=1, messages=2)
    contact = events.read(first).facts.snapshot.state.contact_id  # type: ignore[union-attr]
    async with admin_pool.acquire() as conn:
        await bench.attach(conn, organization, account=1)
        await conn.execute(_CONTACT, organization, contact)
        await conn.execute(_CUSTOMER, organization, 2, {"EUR": 245_000}, "Gold")

    await bench.apply(pool, [first])
    async with admin_pool.acquire() as conn:
        await conn.execute(_CUSTOMER, organization, 3, {"EUR": 900_000}, "Platinum")
    await bench.apply(pool, [second])

    async with scoped(pool, {organization}) as conn:
        row = await conn.fetchrow("select * from public.chatwoot_conversations")
    assert row is not None
    remembered = (row["customer_tier"], row["order_count"], row["customer_value"], row["customer_currency"])
    assert remembered == ("Gold", 2, Decimal("2450.00"), "EUR")
    assert row["message_count"] == 2


_CONTACT = """
insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, customer_id)
values ($1, 1, $2, 'c1')
"""
_CUSTOMER = """
insert into wootstream.customers (organization_id, customer_id, order_count, spent, customer_tier)
values ($1, 'c1', $2, $3, $4) on conflict (organization_id, customer_id) do update set
  order_count = excluded.order_count, spent = excluded.spent, customer_tier = excluded.customer_tier
"""
